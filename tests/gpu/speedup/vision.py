"""Vision: the article's ResNet-50 from JPEGs, the same in memory, a ViT, detection, a GAN, and a diffusion step."""

from __future__ import annotations

from program import CHANNELS_LAST, COMPILED, CUDNN, TF32, Program, Version, code, in_bf16

CLASSIFY = code("""
    for step, (images, labels) in enumerate(loader):
        images, labels = images.to('cuda'), labels.to('cuda')
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step == 9:
            break
""")
FORWARD = "loss = torch.nn.functional.cross_entropy(model(images), labels)"
ASYNC = CLASSIFY.replace(
    "images.to('cuda'), labels.to('cuda')",
    "images.to('cuda', non_blocking=True), labels.to('cuda', non_blocking=True)",
)
LAST = ASYNC.replace(
    "images.to('cuda', non_blocking=True)",
    "images.to('cuda', non_blocking=True, memory_format=torch.channels_last)",
)
FUSED_SGD = "optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=True)\n"
MANY_WORKERS = code("""
    loader = DataLoader(dataset, batch_size=128, shuffle=True, num_workers=14, pin_memory=True, persistent_workers=True,
                        prefetch_factor=4)
    warm = next(iter(loader))
""")

RESNET_JPEG = Program(
    "ResNet-50 from JPEGs, 2 workers",
    setup=code("""
        import io, os, tempfile, torch, torchvision
        from PIL import Image
        from torch.utils.data import DataLoader
        from torchvision import transforms
        folder = os.path.join(tempfile.gettempdir(), 'gpuperf_jpegs')
        if not os.path.isdir(folder):
            torch.manual_seed(0)
            for index in range(2560):
                place = os.path.join(folder, str(index % 10))
                os.makedirs(place, exist_ok=True)
                noise = torch.randint(0, 256, (3, 60, 80), dtype=torch.uint8)
                picture = transforms.functional.to_pil_image(noise).resize((500, 375), Image.BICUBIC)
                picture.save(os.path.join(place, f'{index}.jpg'), quality=90)
        dataset = torchvision.datasets.ImageFolder(folder, transforms.Compose([
            transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), transforms.ToTensor()]))
        loader = DataLoader(dataset, batch_size=128, shuffle=True, num_workers=2)
        model = torchvision.models.resnet50(num_classes=10).cuda()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    """),
    cell=CLASSIFY,
    samples=1280,
    unit="images",
    by_hand=(
        Version("workers", MANY_WORKERS, ASYNC),
        Version(
            "workers, bf16, channels last",
            MANY_WORKERS + CHANNELS_LAST + CUDNN + FUSED_SGD,
            in_bf16(LAST, FORWARD),
        ),
    ),
)
RESNET_MEMORY = Program(
    "ResNet-50 in memory",
    setup=code("""
        import torch, torchvision
        from torch.utils.data import DataLoader, TensorDataset
        dataset = TensorDataset(torch.randn(1280, 3, 224, 224), torch.randint(0, 10, (1280,)))
        loader = DataLoader(dataset, batch_size=128, shuffle=True)
        model = torchvision.models.resnet50(num_classes=10).cuda()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    """),
    cell=CLASSIFY,
    samples=1280,
    unit="images",
    by_hand=(
        Version("bf16, channels last", CHANNELS_LAST + CUDNN + FUSED_SGD, in_bf16(LAST, FORWARD)),
        Version(
            "bf16, channels last, workers",
            MANY_WORKERS.replace("14", "4") + CHANNELS_LAST + CUDNN + FUSED_SGD,
            in_bf16(LAST, FORWARD),
        ),
        Version(
            "bf16, channels last, workers, compiled",
            MANY_WORKERS.replace("14", "4") + CHANNELS_LAST + CUDNN + FUSED_SGD + COMPILED,
            in_bf16(LAST, FORWARD),
        ),
    ),
)

VIT_CELL = code("""
    for _ in range(10):
        at = torch.randint(0, len(images), (64,), device='cuda')
        loss = torch.nn.functional.cross_entropy(model(images[at]), labels[at])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
""")
VIT_FORWARD = "loss = torch.nn.functional.cross_entropy(model(images[at]), labels[at])"
FUSED_ADAMW = "optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)\n"
VIT = Program(
    "ViT-B/16",
    setup=code("""
        import torch, torchvision
        images = torch.randn(512, 3, 224, 224, device='cuda')
        labels = torch.randint(0, 1000, (512,), device='cuda')
        model = torchvision.models.vit_b_16().cuda()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    """),
    cell=VIT_CELL,
    samples=640,
    unit="images",
    by_hand=(
        Version("TF32, fused", TF32 + FUSED_ADAMW, VIT_CELL),
        Version("bf16, fused", FUSED_ADAMW, in_bf16(VIT_CELL, VIT_FORWARD)),
        Version("bf16, fused, compiled", FUSED_ADAMW + COMPILED, in_bf16(VIT_CELL, VIT_FORWARD)),
    ),
)

DETECTION_CELL = code("""
    for step in range(6):
        batch = [samples[(4 * step + i) % len(samples)] for i in range(4)]
        losses = model([image for image, _ in batch], [target for _, target in batch])
        loss = sum(losses.values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
""")
DETECTION = Program(
    "Faster R-CNN, odd shapes",
    setup=code("""
        import torch, torchvision
        torch.manual_seed(0)
        def sample():
            height, width = (int(each) for each in torch.randint(400, 900, (2,)))
            corners = torch.rand(5, 2) * torch.tensor([width / 2, height / 2])
            boxes = torch.cat([corners, corners + 20 + torch.rand(5, 2) * 150], 1).cuda()
            return torch.rand(3, height, width, device='cuda'), {
                'boxes': boxes, 'labels': torch.randint(1, 5, (5,), device='cuda')}
        samples = [sample() for _ in range(24)]
        model = torchvision.models.detection.fasterrcnn_resnet50_fpn(
            weights=None, weights_backbone=None, num_classes=5).cuda()
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    """),
    cell=DETECTION_CELL,
    samples=24,
    unit="images",
    by_hand=(
        Version("TF32, fused", TF32 + FUSED_SGD.replace("0.01", "1e-4"), DETECTION_CELL),
        Version(
            "bf16, channels last, fused",
            CHANNELS_LAST + FUSED_SGD.replace("0.01", "1e-4"),
            in_bf16(
                DETECTION_CELL,
                "losses = model([image for image, _ in batch], [target for _, target in batch])",
            ),
        ),
    ),
)

GAN_CELL = code("""
    for _ in range(20):
        real = data[torch.randint(0, len(data), (128,), device='cuda')]
        fake = generator(torch.randn(128, 100, 1, 1, device='cuda'))
        loss_real = torch.nn.functional.softplus(-critic(real)).mean()
        loss_fake = torch.nn.functional.softplus(critic(fake.detach())).mean()
        optimizer_d.zero_grad()
        (loss_real + loss_fake).backward()
        optimizer_d.step()
        loss = torch.nn.functional.softplus(-critic(fake)).mean()
        optimizer_g.zero_grad()
        loss.backward()
        optimizer_g.step()
""")
GAN_FORWARD = (
    "fake = generator(torch.randn(128, 100, 1, 1, device='cuda'))",
    "loss_real = torch.nn.functional.softplus(-critic(real)).mean()",
    "loss_fake = torch.nn.functional.softplus(critic(fake.detach())).mean()",
    "loss = torch.nn.functional.softplus(-critic(fake)).mean()",
)
GAN_FUSED = code("""
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=2e-4, fused=True)
    optimizer_d = torch.optim.Adam(critic.parameters(), lr=2e-4, fused=True)
""")
DCGAN = Program(
    "DCGAN",
    setup=code("""
        import torch
        from torch import nn
        def up(a, b, **options):
            return [nn.ConvTranspose2d(a, b, 4, bias=False, **options), nn.BatchNorm2d(b), nn.ReLU(True)]
        def down(a, b):
            return [nn.Conv2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), nn.LeakyReLU(0.2, True)]
        two = {'stride': 2, 'padding': 1}
        generator = nn.Sequential(*up(100, 512), *up(512, 256, **two), *up(256, 128, **two), *up(128, 64, **two),
                                  nn.ConvTranspose2d(64, 3, 4, 2, 1), nn.Tanh()).cuda()
        critic = nn.Sequential(nn.Conv2d(3, 64, 4, 2, 1), nn.LeakyReLU(0.2, True), *down(64, 128), *down(128, 256),
                               *down(256, 512), nn.Conv2d(512, 1, 4)).cuda()
        optimizer_g = torch.optim.Adam(generator.parameters(), lr=2e-4)
        optimizer_d = torch.optim.Adam(critic.parameters(), lr=2e-4)
        data = torch.rand(4096, 3, 64, 64, device='cuda') * 2 - 1
    """),
    cell=GAN_CELL,
    samples=2560,
    unit="images",
    by_hand=(
        Version("fused, cudnn.benchmark", CUDNN + GAN_FUSED, GAN_CELL),
        Version("bf16, fused", CUDNN + GAN_FUSED, in_bf16(GAN_CELL, *GAN_FORWARD)),
        Version(
            "bf16, fused, compiled",
            CUDNN
            + GAN_FUSED
            + "generator, critic = torch.compile(generator), torch.compile(critic)\n",
            in_bf16(GAN_CELL, *GAN_FORWARD),
        ),
    ),
)

DIFFUSION_CELL = code("""
    for _ in range(10):
        clean = data[torch.randint(0, len(data), (64,), device='cuda')]
        noise, at = torch.randn_like(clean), torch.rand(64, device='cuda')
        loss = (model(clean + at[:, None, None, None] * noise, at) - noise).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
""")
DIFFUSION_FORWARD = (
    "loss = (model(clean + at[:, None, None, None] * noise, at) - noise).square().mean()"
)
DIFFUSION = Program(
    "U-Net diffusion step",
    setup=code("""
        import torch
        from torch import nn
        from torch.nn import functional
        class Block(nn.Module):
            def __init__(self, a, b):
                super().__init__()
                self.first, self.second = nn.GroupNorm(8, a), nn.GroupNorm(8, b)
                self.one, self.two = nn.Conv2d(a, b, 3, padding=1), nn.Conv2d(b, b, 3, padding=1)
                self.skip, self.time = nn.Conv2d(a, b, 1), nn.Linear(128, b)
            def forward(self, x, time):
                hidden = self.one(functional.silu(self.first(x))) + self.time(time)[:, :, None, None]
                return self.two(functional.silu(self.second(hidden))) + self.skip(x)
        class UNet(nn.Module):
            def __init__(self, w=64):
                super().__init__()
                self.time, self.inward, self.out = nn.Linear(1, 128), nn.Conv2d(3, w, 3, padding=1), nn.Conv2d(w, 3, 3, padding=1)
                self.down1, self.down2, self.middle = Block(w, 2 * w), Block(2 * w, 4 * w), Block(4 * w, 4 * w)
                self.up2, self.up1 = Block(8 * w, 2 * w), Block(4 * w, w)
            def forward(self, x, at):
                time = functional.silu(self.time(at[:, None]))
                one = self.down1(self.inward(x), time)
                two = self.down2(functional.avg_pool2d(one, 2), time)
                low = self.middle(functional.avg_pool2d(two, 2), time)
                up = self.up2(torch.cat([functional.interpolate(low, scale_factor=2), two], 1), time)
                return self.out(self.up1(torch.cat([functional.interpolate(up, scale_factor=2), one], 1), time))
        model = UNet().cuda()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
        data = torch.randn(1024, 3, 64, 64, device='cuda')
    """),
    cell=DIFFUSION_CELL,
    samples=640,
    unit="images",
    by_hand=(
        Version(
            "bf16, channels last, fused",
            CHANNELS_LAST + CUDNN + FUSED_ADAMW,
            in_bf16(DIFFUSION_CELL, DIFFUSION_FORWARD),
        ),
        Version(
            "bf16, channels last, fused, compiled",
            CHANNELS_LAST + CUDNN + FUSED_ADAMW + COMPILED,
            in_bf16(DIFFUSION_CELL, DIFFUSION_FORWARD),
        ),
    ),
)

PROGRAMS = (RESNET_JPEG, RESNET_MEMORY, VIT, DETECTION, DCGAN, DIFFUSION)
