"""Small real networks whose answer is known: label 1 where the value is above a threshold.

Each builder writes what its library writes: an ONNX file, a TorchScript file, a MONAI bundle, an
nnU-Net v2 results folder. For tests of Ennead and for trying the tools without a real network.
"""
