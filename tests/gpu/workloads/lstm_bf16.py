"""Four layers of LSTM in bf16, large batches: always busy with small work, as recurrent networks are."""

from looping import main
from training import again, tokens, trained

EXPECTED = {"must": [], "may": ["memory-bandwidth-bound"]}


def steps(setup):
    nn = setup.torch.nn

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            width = setup.size(1024, 64)
            self.cells = nn.LSTM(width, width, num_layers=setup.size(4, 1), batch_first=True)

        def forward(self, inputs):
            return self.cells(inputs)[0]

    batch = tokens(setup, 1024, 1024, 128)
    dtype = None if setup.dry else "bfloat16"  # not every CPU supports it
    yield from trained(setup, Recurrent().to(setup.device), again(batch), dtype=dtype)


if __name__ == "__main__":
    main(steps)
