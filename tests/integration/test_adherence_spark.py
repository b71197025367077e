"""A local Spark of two workers measures what the table function measures, to the last row."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from chartseal.adherence import Columns, Span, Window, mpr
from chartseal.errors import AdherenceError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java, which this machine has not"),
]

WINDOW = Window(observation_length=Span(365))
PATIENTS = 500


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    pytest.importorskip("pyspark", reason="pyspark is not installed: pip install 'chartseal[spark]'")
    os.environ |= {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "7")  # most patients are in two batches
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.fixture(scope="module")
def events() -> pa.Table:
    chance = random.Random(6)
    made = [
        (f"p{chance.randrange(PATIENTS)}", date(2031, 1, 1) + timedelta(chance.randrange(400)), days)
        for days in chance.choices([30.0, 90.0, None], [8, 2, 0.05], k=PATIENTS * 12)
    ]
    ids, days, supplies = zip(*made, strict=True)
    return pa.table({"member": ids, "date": days, "days_supply": supplies})


COLUMNS = Columns(patient="member")


def test_by_name_and_by_function_as_the_table_function(spark: SparkSession, events: pa.Table) -> None:
    from chartseal.adherence.spark import spark_measure

    expected = mpr(events, WINDOW, columns=COLUMNS)
    assert expected.num_rows > PATIENTS * 0.9
    assert 0 < expected["mpr"].null_count < PATIENTS
    frame = spark.createDataFrame(events)
    by_name = spark_measure("mpr", frame, {"window": WINDOW.to_json()}, columns=COLUMNS)
    by_function = spark_measure(lambda table: mpr(table, WINDOW), frame, columns=COLUMNS)
    for measured in (by_name, by_function):
        found = measured.toArrow().sort_by("patient")
        assert found.to_pylist() == expected.to_pylist()


def test_a_table_that_is_not_one_is_refused_before_any_task(spark: SparkSession, events: pa.Table) -> None:
    from pyspark.sql import functions as sql

    from chartseal.adherence.spark import spark_measure

    frame = spark.createDataFrame(events)
    settings = {"window": WINDOW.to_json()}
    for odd, code in (
        (frame.drop("date"), "column_missing"),
        (frame.withColumn("date", sql.lit(7)), "column_type"),
        (frame.withColumn("date", sql.current_timestamp()), "column_type"),
        (frame.select("*", sql.lit(1).alias("DATE")), "column_twice"),
    ):
        with pytest.raises(AdherenceError) as caught:
            spark_measure("mpr", odd, settings, columns=COLUMNS)
        assert caught.value.code == code
    with pytest.raises(AdherenceError, match="no such measure"):
        spark_measure("mprs", frame, settings, columns=COLUMNS)


def test_text_that_does_not_parse_is_one_patients(spark: SparkSession) -> None:
    from chartseal.adherence.spark import spark_measure

    rows = [("a", "2031-01-01", "30"), ("b", "1/1/2031", "30"), ("c", "2031-01-01", "thirty")]
    frame = spark.createDataFrame(rows, ["patient", "date", "days_supply"])
    found = spark_measure("mpr", frame, {"window": WINDOW.to_json()}).toArrow().sort_by("patient")
    assert found["reason"].to_pylist() == [None, "date_unknown", "days_supply_unknown"]


def test_no_events_are_no_rows_of_the_same_columns(spark: SparkSession, events: pa.Table) -> None:
    from chartseal.adherence.spark import spark_measure

    measured = spark_measure(
        "mpr", spark.createDataFrame(events).limit(0), {"window": WINDOW.to_json()}, columns=COLUMNS
    )
    assert (measured.columns, measured.count()) == (["patient", "mpr", "reason"], 0)
