"""What a level of a U-Net computes: the double convolution and the recurrent residual block.

A block is called ``block(in_channels, out_channels)`` and gives a module from float (N, in_channels, H, W)
to float (N, out_channels, H, W).
"""

from collections.abc import Callable

from torch import Tensor, nn

Block = Callable[[int, int], nn.Module]
Normalise = Callable[[int], nn.Module]


def convolution_unit(
    in_channels: int, out_channels: int, stride: int = 1, normalise: Normalise = nn.BatchNorm2d
) -> nn.Sequential:
    """3 x 3 convolution, normalisation, ReLU. With stride 2 an odd size is rounded up."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
        normalise(out_channels),
        nn.ReLU(inplace=True),
    )


class DoubleConvolution(nn.Sequential):
    """Convolution, normalisation, ReLU, twice (Ronneberger et al. 2015, with normalisation).

    ``normalise`` makes a normalisation for a number of channels.
    """

    def __init__(self, in_channels: int, out_channels: int, normalise: Normalise = nn.BatchNorm2d) -> None:
        super().__init__(
            convolution_unit(in_channels, out_channels, normalise=normalise),
            convolution_unit(out_channels, out_channels, normalise=normalise),
        )


class RecurrentConvolution(nn.Module):
    """One convolution applied ``1 + steps`` times: ``y = f(x)``, then ``y = f(x + y)``, after Liang and Hu (2015).

    It is the form that is commonly reimplemented: theirs has two kernels, one for the input and one for the state, and
    local response normalisation; here one kernel serves both.

    The weights are shared over the applications. Each application has a normalisation of its own: the inputs of the
    first and of the later ones differ in scale, so running statistics shared by all fit none, and eval mode collapses.
    ``shared`` makes that fault on purpose, to measure it.
    """

    def __init__(self, channels: int, steps: int, normalise: Normalise = nn.BatchNorm2d, shared: bool = False) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.first_norm = normalise(channels)
        self.step_norms = nn.ModuleList(normalise(channels) for _ in range(0 if shared else steps))
        self.sharing = steps if shared else 0
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Float (N, channels, H, W) to the same shape."""
        y: Tensor = self.activation(self.first_norm(self.convolution(x)))
        for norm in (*self.step_norms, *[self.first_norm] * self.sharing):
            y = self.activation(norm(self.convolution(x + y)))
        return y


class RecurrentResidual(nn.Module):
    """1 x 1 convolution, then two recurrent convolutions, added to their input (R2U-Net, Alom et al. 2018).

    ``steps`` counts the recurrences: 2 means that each convolution is applied 3 times. ``shared``: as there.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        steps: int = 2,
        normalise: Normalise = nn.BatchNorm2d,
        shared: bool = False,
    ) -> None:
        super().__init__()
        self.project = nn.Conv2d(in_channels, out_channels, 1)
        self.recurrent = nn.Sequential(
            *(RecurrentConvolution(out_channels, steps, normalise, shared) for _ in range(2))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Float (N, in_channels, H, W) to (N, out_channels, H, W)."""
        x = self.project(x)
        y: Tensor = x + self.recurrent(x)
        return y
