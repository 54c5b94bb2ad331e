"""Softmax of a CSV file with pandas and SciPy: LOGITS OUTPUT."""

import sys

import pandas as pd
from scipy.special import softmax

logits = pd.read_csv(sys.argv[1])
probabilities = pd.DataFrame(softmax(logits.to_numpy(), axis=1), columns=logits.columns)
probabilities.to_csv(sys.argv[2], index=False)
