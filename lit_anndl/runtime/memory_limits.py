"""How much memory there is to work with."""

import os

import torch


def available_bytes(device: torch.device) -> int:
    """The bytes that a device has free now; of the CPU those of the machine."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
