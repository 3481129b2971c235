"""Scores MOT tracks with TrackEval (MOT15 settings) and prints a JSON object: sequence, or COMBINED_SEQ, to metrics.

usage: reference.py TRUTH_FOLDER TRACKS_FOLDER SEQUENCE ...     (needs trackeval)
TRACKS_FOLDER/SEQUENCE.txt are the tracks.
"""
import contextlib
import json
import os
import sys
import tempfile

import numpy
import trackeval

truth, tracks, sequences = sys.argv[1], os.path.abspath(sys.argv[2]), sys.argv[3:]
with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
    os.makedirs(os.path.join(folder, "one"))
    os.symlink(tracks, os.path.join(folder, "one", "data"))
    settings = {
        "GT_FOLDER": truth, "TRACKERS_FOLDER": folder, "TRACKERS_TO_EVAL": ["one"], "BENCHMARK": "MOT15",
        "SKIP_SPLIT_FOL": True, "SEQ_INFO": {name: None for name in sequences}, "PRINT_CONFIG": False,
        "CLASSES_TO_EVAL": ["pedestrian"],
    }
    dataset = trackeval.datasets.MotChallenge2DBox(settings)
    quiet = {"PRINT_CONFIG": False, "PRINT_RESULTS": False, "OUTPUT_SUMMARY": False, "OUTPUT_DETAILED": False,
             "PLOT_CURVES": False, "OUTPUT_EMPTY_CLASSES": False, "TIME_PROGRESS": False, "BREAK_ON_ERROR": True}
    metrics = [trackeval.metrics.HOTA(), trackeval.metrics.CLEAR({"PRINT_CONFIG": False}),
               trackeval.metrics.Identity({"PRINT_CONFIG": False})]
    results, _ = trackeval.Evaluator(quiet).evaluate([dataset], metrics)
found = {}
for name, classes in results["MotChallenge2DBox"]["one"].items():
    one = classes["pedestrian"]
    values = {key: numpy.mean(one["HOTA"][key]) for key in ("HOTA", "DetA", "AssA")}
    values |= {key: one["CLEAR"][key] for key in ("MOTA", "MOTP", "CLR_Re", "CLR_Pr", "IDSW", "Frag", "MT", "ML")}
    values |= {key: one["Identity"][key] for key in ("IDF1", "IDR", "IDP")}
    found[name] = {key: float(value) for key, value in values.items()}
print(json.dumps(found))
