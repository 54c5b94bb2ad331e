"""Arrays held in binary files: NPY, NPZ and safetensors."""
