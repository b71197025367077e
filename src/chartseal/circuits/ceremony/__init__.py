"""Production keys: made by several people so that one honest one is enough, and checked by anybody.

In: a circuit, and the file of a public phase 1. Out: a proving key, a verification key, an entry for the manifest.

    tool, phase1 = Snarkjs.find(), Phase1.open(path, published_hash)
    ceremony = Ceremony.begin(folder, "linked-1", phase1, tool)
    ceremony.contribute("Ada", tool)
    ceremony.finish(beacon, 10, tool)
    key = export(ceremony, phase1, "2027-01", exported, tool)

Groth16's phase 2 is run by snarkjs, which is a tool of the ceremony alone; whatever it makes is checked here.
"""

from chartseal.circuits.ceremony.exporting import export
from chartseal.circuits.ceremony.phase1 import Phase1
from chartseal.circuits.ceremony.run import Ceremony
from chartseal.circuits.ceremony.tool import Snarkjs

__all__ = ["Ceremony", "Phase1", "Snarkjs", "export"]
