"""Job 13: a course of the versioned store read with pymongo's decoder: the head that the index names, the definitions that its
blocks name, and of both the blocks with their fields and children.

Check is the number of fields and of children of all blocks together.
"""
import time
from pathlib import Path

from common import emit, parser, reset_peak

p = parser("old_structure", n=20_000)
p.add_argument("--dump", required=True)
a = p.parse_args()

from bson import decode_file_iter  # noqa: E402


def read(folder):
    with open(folder / "modulestore.active_versions.bson", "rb") as f:
        head = next(decode_file_iter(f))["versions"]["draft-branch"]
    with open(folder / "modulestore.structures.bson", "rb") as f:
        structure = next(doc for doc in decode_file_iter(f) if doc["_id"] == head)
    wanted = {block["definition"] for block in structure["blocks"]}
    with open(folder / "modulestore.definitions.bson", "rb") as f:
        definitions = {doc["_id"]: doc for doc in decode_file_iter(f) if doc["_id"] in wanted}
    blocks, parents = {}, {}
    for entry in structure["blocks"]:
        key = (entry["block_type"], entry["block_id"])
        settings = dict(entry["fields"])
        children = [tuple(c) for c in settings.pop("children", ())]
        for child in children:
            parents[child] = key
        blocks[key] = (definitions[entry["definition"]]["fields"], settings, children)
    return blocks


reset_peak()
start, cpu = time.perf_counter(), time.process_time()
blocks = read(Path(a.dump) / "edxapp")
out = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu}
emit("old_structure", a.n, out, check=sum(len(c) + len(s) + len(k) for c, s, k in blocks.values()))
