"""Pixels: decoding in a sandbox, and pictures from them."""

from ennead_pacs.rendering.decode import DecodedFrames, decode_files, decode_frames
from ennead_pacs.rendering.pool import DecoderPool, shared_pool

__all__ = ["DecodedFrames", "DecoderPool", "decode_files", "decode_frames", "shared_pool"]
