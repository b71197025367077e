"""Every deliberate error of Chartseal, in one tree with stable codes.

A message names places and counts, never values. `code` is the same word in the HTTP problem body, the log line and the
command's `--json` output.
"""

from __future__ import annotations


class ChartsealError(Exception):
    """Base of every error that Chartseal raises on purpose."""

    code = "chartseal_error"


class CoreError(ChartsealError):
    """An error of the Rust core: a code of its own, and the element path or position where it arose."""

    def __init__(self, detail: str, code: str | None = None, path: str = "") -> None:
        super().__init__(f"{path}: {detail}" if path else detail)
        self.detail = detail
        self.path = path
        if code is not None:
            self.code = code


class FhirError(CoreError):
    """The input is not a FHIR R4 resource that may be sealed."""

    code = "fhir_refused"


class LimitError(CoreError):
    """An input exceeds a size, nesting or count limit."""

    code = "limit_exceeded"


class MissingExtraError(ChartsealError):
    """What was asked for needs an optional package that is not installed."""

    code = "extra_missing"


class RecordError(CoreError):
    """A record's fields contradict each other or the format."""

    code = "record_invalid"


class FieldEncodingError(CoreError):
    """A value does not fit its ABI type, or a leaf or proof is malformed."""

    code = "field_encoding"


class SignatureError(CoreError):
    """A signature is malformed or does not verify."""

    code = "signature_invalid"


class KeyFormatError(CoreError):
    """A key, address or curve point is malformed."""

    code = "key_invalid"


# attestation


class AttestationError(CoreError):
    """An EAS attestation, package, schema or link is malformed, or not one that may be relied on."""

    code = "attestation_invalid"


class PackageError(AttestationError):
    """A package, link or proof does not have the form that EAS gives it."""

    code = "package_malformed"


class SchemaError(AttestationError):
    """A schema cannot be read, or data or an attestation does not belong to it."""

    code = "schema_refused"


class DomainError(AttestationError):
    """A signature is for another chain, contract or version than expected."""

    code = "domain_refused"


class ExpiredError(AttestationError):
    """An attestation's expiration has passed."""

    code = "expired"


class NotYetValidError(AttestationError):
    """An attestation's time lies in the future."""

    code = "not_yet_valid"


class RootMismatchError(AttestationError):
    """The opened leaves do not rebuild the attested root."""

    code = "root_mismatch"


class KeystoreError(KeyFormatError):
    """A keystore file is malformed or its passphrase is wrong."""

    code = "keystore_refused"


# sealing


class SealedRecordError(CoreError):
    """A sealed record is malformed, of another kind, or does not hold together."""

    code = "sealed_record_malformed"


class PatientError(CoreError):
    """A record is another patient's, or nobody's that is known."""

    code = "patient_refused"


class SealingError(CoreError):
    """A run of sealing cannot go on: its options, its files, or what an earlier run left do not fit together."""

    code = "sealing_refused"


# keys


class KeyFileError(CoreError):
    """A wallet or issuer key file is damaged, of another kind, or already exists."""

    code = "key_file_damaged"


class WrongPassphraseError(ChartsealError):
    """The key file is whole, but the passphrase does not open it."""

    code = "passphrase_wrong"


class WordsError(ChartsealError):
    """The words are not 24 of the English BIP-39 list with a right checksum."""

    code = "words_invalid"


class DeliveryError(CoreError):
    """A delivered record is not this wallet's, or came before."""

    code = "delivery_refused"


class RegistrationError(ChartsealError):
    """A sealing address was not registered: its signed challenge has expired or is not the one that was given."""

    code = "registration_refused"
