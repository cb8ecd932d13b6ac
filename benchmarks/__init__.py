"""What the engine costs, beside named peers and physical limits measured in the same run.

`python -m benchmarks` runs every figure, `python -m benchmarks recall nearest` some of them. A
figure makes its data from fixed seeds, runs, checks the answers, and reports; one file a figure.
"""
