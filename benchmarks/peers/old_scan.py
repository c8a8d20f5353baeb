"""Job 12: an old site's dump listed with pymongo's decoder, as one writes such a walk in Python: every document once, of blocks
their course, type, name and last edit, of structures their blocks, children and predecessor.

Check is the number of blocks, each once whatever revisions it has, and of the versioned store those of the draft heads.
"""
import time
from collections import defaultdict
from pathlib import Path

from common import emit, parser, reset_peak

p = parser("old_scan", n=1_000)
p.add_argument("--dump", required=True)
a = p.parse_args()

from bson import decode_file_iter  # noqa: E402


def walk(folder):
    names, edits, listed = defaultdict(set), {}, 0
    with open(folder / "modulestore.bson", "rb") as f:
        for doc in decode_file_iter(f):
            at, info = doc["_id"], doc.get("edit_info", {})
            key = (at["org"], at["course"])
            names[key].add((at["category"], at["name"]))
            listed += len(doc.get("definition", {}).get("children", ()))
            edits[key] = max(filter(None, (edits.get(key), info.get("edited_on"))), default=None)
    heads = {}
    with open(folder / "modulestore.active_versions.bson", "rb") as f:
        for doc in decode_file_iter(f):
            heads[(doc["org"], doc["course"], doc["run"])] = doc["versions"]["draft-branch"]
    sizes, previous = {}, {}
    with open(folder / "modulestore.structures.bson", "rb") as f:
        for doc in decode_file_iter(f):
            previous[doc["_id"]] = doc["previous_version"]
            pairs = set()
            for block in doc["blocks"]:
                pairs.add((block["block_type"], block["block_id"]))
                listed += len(block["fields"].get("children", ()))
            sizes[doc["_id"]] = len(pairs)
    versions = 0
    for head in heads.values():
        while head is not None:
            versions, head = versions + 1, previous.get(head)
    return sum(map(len, names.values())) + sum(sizes[h] for h in heads.values()), len(names) + len(heads)


reset_peak()
start, cpu = time.perf_counter(), time.process_time()
blocks, courses = walk(Path(a.dump) / "edxapp")
out = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu}
assert courses == a.n, courses
emit("old_scan", a.n, out, check=blocks)
