"""Softmax of an NPY file with PyTorch: LOGITS OUTPUT."""

import sys

import numpy as np
import torch

np.save(sys.argv[2], torch.softmax(torch.from_numpy(np.load(sys.argv[1])), dim=1).numpy())
