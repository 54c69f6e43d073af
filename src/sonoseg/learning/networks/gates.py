"""What happens to a skip connection before the decoder reads it.

A gate is made by ``gate(skip_channels, query_channels)`` and called ``(skip, query) -> skip``: float
(N, skip_channels, H, W) and (N, query_channels, H, W) give (N, skip_channels, H, W).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

Gate = Callable[[int, int], nn.Module]


class PassThrough(nn.Module):
    """The plain U-Net's skip: nothing happens to it."""

    def __init__(self, skip_channels: int, query_channels: int) -> None:
        super().__init__()

    def forward(self, skip: Tensor, query: Tensor) -> Tensor:
        """Return the skip as it is."""
        return skip


class AttentionGate(nn.Module):
    """Additive attention: the decoder's query says where the skip matters, after Oktay et al. (2018).

    It is the form that is commonly reimplemented: theirs weighs on the coarser grid of the query, the skip brought down
    by a stride of 2, resizes the weights, and convolves what they let through. Here skip and query have the same height
    and width. The inner width is half of the skip's channels.
    """

    def __init__(self, skip_channels: int, query_channels: int) -> None:
        super().__init__()
        inner = max(1, skip_channels // 2)
        self.from_skip = nn.Sequential(nn.Conv2d(skip_channels, inner, 1, bias=False), nn.BatchNorm2d(inner))
        self.from_query = nn.Sequential(nn.Conv2d(query_channels, inner, 1, bias=False), nn.BatchNorm2d(inner))
        self.weigh = nn.Sequential(
            nn.ReLU(inplace=True), nn.Conv2d(inner, 1, 1, bias=False), nn.BatchNorm2d(1), nn.Sigmoid()
        )

    def attention(self, skip: Tensor, query: Tensor) -> Tensor:
        """Where the skip is let through: float (N, 1, H, W) in [0, 1]."""
        weights: Tensor = self.weigh(self.from_skip(skip) + self.from_query(query))
        return weights

    def forward(self, skip: Tensor, query: Tensor) -> Tensor:
        """Return the skip, weighted pixel by pixel."""
        return torch.mul(skip, self.attention(skip, query))
