"""Softmax of an NPY file with SciPy: LOGITS OUTPUT."""

import sys

import numpy as np
from scipy.special import softmax

np.save(sys.argv[2], softmax(np.load(sys.argv[1]), axis=1))
