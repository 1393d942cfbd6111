"""TorchScript files, run by torch.jit."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ennead.errors import TensorMismatch, WeightsUnsafe
from ennead_models.manifest import ModelManifest
from ennead_models.runners.open import absent
from ennead_models.runners.tensor import TensorModel, as_tensor

if TYPE_CHECKING:
    import torch

_NEEDS: Final = ("torch",)


def is_available() -> bool:
    """Whether torch can be imported."""
    return not absent(_NEEDS)


def missing() -> str:
    """What is to be installed; "" when nothing is."""
    return "TorchScript models need torch; run: pip install 'ennead[models]'" * bool(absent(_NEEDS))


def open_network(
    manifest: ModelManifest,
    digest: str,
    path: Path,
    *,
    device: str,
    threads: int,
    code_accepted: bool,
) -> TensorModel:
    """Load a TorchScript file.

    Raises
    ------
    WeightsUnsafe
        It is none; a pickled ``nn.Module`` would run code when loaded and is not read.
    """
    del code_accepted
    import torch

    try:
        with warnings.catch_warnings():  # deprecated in torch, and in wide use
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(str(path), map_location=device).eval()
    except (RuntimeError, ValueError) as error:
        raise WeightsUnsafe(
            f"The weights of {manifest.id} are no TorchScript file: {str(error)[:200]}. Save the "
            "network with torch.jit.save(torch.jit.script(net), file) or torch.jit.trace; a "
            "pickled module would run code when loaded and is not read."
        ) from error
    call = _Called(manifest, module)
    return TensorModel(
        manifest, digest, device, call, threads=threads, close=call.close, half=True, batches=True
    )


class _Called:
    """The module; what it cannot take becomes an error that says which tensor it was."""

    def __init__(self, manifest: ModelManifest, module: Any) -> None:
        self._manifest, self._module = manifest, module

    def __call__(self, tensor: torch.Tensor) -> torch.Tensor:
        """``float32[n, c, …]`` → the network's output, on the same device."""
        import torch

        try:
            out = self._module(tensor)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise TensorMismatch(
                f"{self._manifest.id} does not take a tensor of shape {list(tensor.shape)}: "
                f"{_last_line(error)}. Correct input.shape and input.channels, or resources.tile."
            ) from error
        return as_tensor(self._manifest, out)

    def close(self) -> None:
        """Let the module go."""
        self._module = None


def _last_line(error: Exception) -> str:
    """TorchScript puts its own stack first; the reason stands last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
