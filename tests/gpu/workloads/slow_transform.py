"""Two workers whose transform takes long on the CPU: the GPU waits for data."""

from looping import main
from training import Items, epochs, image_network, trained

EXPECTED = {"must": ["input-bound"], "may": ["cpu-quota"]}


def steps(setup):
    torch = setup.torch
    side = setup.size(224, 32)

    def make(_index):
        torch.set_num_threads(1)
        large = torch.rand(1, 3, 4 * side, 4 * side)
        return torch.nn.functional.interpolate(large, (side, side), mode="bicubic")[0]

    loader = torch.utils.data.DataLoader(
        Items(make), batch_size=setup.size(64, 2), num_workers=setup.size(2, 0)
    )
    yield from trained(setup, image_network(setup), epochs(loader))


if __name__ == "__main__":
    main(steps)
