"""DifFIQA and FaceQAN against their reference arithmetic, written plainly, in one run.

    python benchmarks/repeated_passes.py [--faces 8] [--device cuda --full-size --precision bf16]

The plain side does what the official programs do, in eager fp32 with the same noise. DifFIQA takes
three faces at a time (its batch size of 64, over 20 images a face), standardises its kernels at
every pass, computes attention and normalisation as they are written down, visits step 0 twice
and embeds 60 images a face. FaceQAN takes one face at a time and computes gradients of all
weights, after the last step too. Built-in
networks, or with --full-size the official ones with random weights (speed alone means something
then). Loading is not counted; one face warms both sides up. Prints milliseconds per face, the
ratio of the medians, the largest difference of a quality, and the operations behind it.
"""

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from fiqa_cli.methods.device import find_device
from fiqa_cli.methods.diffiqa import DifFIQA, Diffusion, content_draws
from fiqa_cli.methods.faceqan import Attack, FaceQAN
from fiqa_cli.methods.method import Method
from fiqa_cli.methods.noise import uniform
from fiqa_cli.methods.precision import Precision, find_precision
from fiqa_cli.methods.recogniser import Recogniser
from fiqa_cli.networks.diffusion import add_noise, ddim_weights
from fiqa_cli.networks.iresnet import iresnet100
from fiqa_cli.networks.unet import Attention, ChannelNorm, LinearAttention, UNet
from fiqa_cli.zoo.load import load_network
from fiqa_cli.zoo.model import Preprocessing
from fiqa_cli.zoo.registry import find
from fiqa_cli.zoo.store import locate

HALF = Preprocessing(112, "RGB", (0.5,) * 3, (0.5,) * 3)
STEP, COPIES = 5, 10
FACES = 64 // (2 * COPIES)
"""In a batch of the reference."""


@torch.no_grad()
def plain_diffiqa(crops: Tensor, unet: nn.Module, recogniser: nn.Module) -> Tensor:
    """DifFIQA as the reference computes it."""
    device = next(unet.parameters()).device
    qualities = []
    for batch in torch.split(crops, FACES):
        draws = [
            content_draws(crop, copy, seed=0, timestep=STEP)
            for crop in batch
            for copy in range(COPIES)
        ]
        noise = torch.stack(draws).permute(2, 1, 0, 3, 4, 5).flatten(1, 2).to(device)
        faces = batch.to(device).float() / 127.5 - 1
        start = torch.cat((faces, faces.flip(-1))).repeat_interleave(COPIES, 0)
        x = noisy = add_noise(start, STEP, noise[0])
        for now in [*range(STEP - 1, -1, -1), 0]:
            clean = unet(x, torch.full((len(x),), now, device=device)).clamp(-1, 1)
            if now:  # from step 0 to step 0 the image stays what it is
                of_clean, of_noised, of_noise = ddim_weights(now)
                x = of_clean * clean + of_noised * x + of_noise * noise[STEP - now]
        found = recogniser(torch.cat((start, noisy, clean))).chunk(6)
        terms = [F.cosine_similarity(found[0], found[place]) for place in (2, 4, 3, 5, 1)]
        qualities.append(torch.stack(terms).mean(0).view(-1, COPIES).mean(1).cpu())
    return torch.cat(qualities)


class PlainNorm(ChannelNorm):
    """The normalisation from means and variances over the channels."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `[N, C, H, W]`."""
        mean = x.mean(1, keepdim=True)
        variance = x.var(1, correction=0, keepdim=True)
        return (x - mean) * (variance + 1e-5).rsqrt() * self.g


class PlainLinearAttention(LinearAttention):
    """Linear attention term by term: queries, keys and values of every position."""

    def forward(self, x: Tensor) -> Tensor:
        """Attend over the positions of `[N, C, H, W]`."""
        count, _, height, width = x.shape
        q, k, v = self.to_qkv(x).view(count, 3, self.heads, -1, height * width).unbind(1)
        q, k = q.softmax(-2) * self.scale, k.softmax(-1)
        context = torch.einsum("bhdn,bhen->bhde", k, v / (height * width))
        out = torch.einsum("bhde,bhdn->bhen", context, q)
        mixed: Tensor = self.to_out(out.reshape(count, -1, height, width))
        return mixed


class PlainAttention(Attention):
    """Cosine attention term by term."""

    def forward(self, x: Tensor) -> Tensor:
        """Attend over the positions of `[N, C, H, W]`."""
        count, _, height, width = x.shape
        q, k, v = self.to_qkv(x).view(count, 3, self.heads, -1, height * width).unbind(1)
        likeness = torch.einsum("bhdi,bhdj->bhij", F.normalize(q, dim=-1), F.normalize(k, dim=-1))
        out = torch.einsum("bhij,bhdj->bhid", (likeness * 10).softmax(-1), v)
        mixed: Tensor = self.to_out(out.transpose(2, 3).reshape(count, -1, height, width))
        return mixed


PLAIN = {ChannelNorm: PlainNorm, LinearAttention: PlainLinearAttention, Attention: PlainAttention}


def plain_copy(unet: UNet) -> UNet:
    """The same network with the arithmetic of the reference."""
    unet = copy.deepcopy(unet)
    for module in unet.modules():
        module.__class__ = PLAIN.get(type(module), type(module))
    return unet


def plain_faceqan(crops: Tensor, recogniser: nn.Module) -> Tensor:
    """FaceQAN as the reference computes it, one face after another."""
    device, attack = next(recogniser.parameters()).device, Attack()
    qualities = []
    for crop in crops:
        image = crop.to(device).float() / 255
        noise = torch.stack([uniform(crop, 0, copy) for copy in range(attack.copies)]).to(device)
        noisy = (image + attack.epsilon * noise).clamp(-1, 1)
        anchor = recogniser((image[None] - 0.5) / 0.5)
        cosines = []
        for _ in range(attack.iterations):
            noisy = noisy.detach().requires_grad_()
            cosine = F.cosine_similarity(recogniser((noisy - 0.5) / 0.5), anchor.detach())
            recogniser.zero_grad()
            (1 - cosine).mean().backward()  # type: ignore[no-untyped-call]
            cosines.append(cosine.detach().cpu())
            assert noisy.grad is not None
            noisy = (noisy + attack.epsilon * noisy.grad.sign()).clamp(-1, 1)
        pair = recogniser((torch.stack((image, image.flip(-1))) - 0.5) / 0.5).detach()
        symmetry = F.cosine_similarity(pair[0], pair[1], dim=0).cpu()
        every = torch.stack(cosines)
        base = (1 + every.mean()) / 2 * (1 - every.std(correction=0)).clamp(0, 1) * symmetry
        qualities.append(base**attack.exponent)
    return torch.stack(qualities)


def timed(score: Callable[[Tensor], Tensor], crops: Tensor, device: torch.device) -> float:
    """Seconds of one run."""
    begun = time.perf_counter()
    score(crops)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begun


def networks(full_size: bool) -> tuple[UNet, nn.Module]:
    """U-Net and recogniser, the built-in ones or official ones with random weights."""
    if full_size:
        torch.manual_seed(0)
        return UNet().eval(), iresnet100().eval()
    loaded = [load_network(find(name), locate(find(name))) for name in ("diffiqa-n", "fr-n")]
    assert isinstance(loaded[0], UNet)
    return loaded[0], loaded[1]


def read_crops(folder: Path | None, count: int) -> Tensor:
    """Crops of a folder, else random pictures: uint8 `[count, 3, 112, 112]`."""
    if folder is None:
        generator = torch.Generator().manual_seed(0)
        small = torch.randint(0, 256, (count, 3, 14, 14), generator=generator)
        return F.interpolate(small.float(), scale_factor=8).to(torch.uint8)
    import numpy as np
    from PIL import Image

    from fiqa_cli.sources.listing import expand

    paths = [entry.path for entry in expand([str(folder)])]
    chosen = paths[:: max(1, len(paths) // count)][:count]
    images = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in chosen])
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def quality_of(method: Method, crops: Tensor) -> Tensor:
    """What `method` makes of the crops, `[N]`."""
    return method.score(crops).quality


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--crops", type=Path, help="folder of aligned crops; else random ones")
    parser.add_argument("--faces", type=int, default=9)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", type=Precision, default=Precision.AUTO)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--full-size", action="store_true")
    options = parser.parse_args()

    device = find_device(options.device)
    precision = find_precision(options.precision, device)
    crops = read_crops(options.crops, options.faces)
    unet, network = networks(options.full_size)
    recogniser = Recogniser(network, HALF, device, precision, compile=options.compile)
    ours: dict[str, Method] = {
        "DifFIQA": DifFIQA(
            "d",
            unet,
            recogniser,
            device,
            precision,
            Diffusion(COPIES, STEP),
            batch_size=len(crops),
            compile=options.compile,
        ),
        "FaceQAN": FaceQAN("f", recogniser, device, precision, batch_size=len(crops)),
    }
    unet, network = plain_copy(unet).to(device), network.to(device).requires_grad_(True)
    plain = {
        "DifFIQA": lambda batch: plain_diffiqa(batch, unet, network),
        "FaceQAN": lambda batch: plain_faceqan(batch, network),
    }
    print(f"{len(crops)} faces, {device}, {precision}, {torch.get_num_threads()} threads")
    for name, method in ours.items():
        sides: dict[str, Callable[[Tensor], Tensor]] = {
            "plain": plain[name],
            "fiqa": partial(quality_of, method),
        }
        with FlopCounterMode(display=False) as counter:
            plain[name](crops[:1])
        difference = (sides["fiqa"](crops) - plain[name](crops)).abs().max()
        times: dict[str, list[float]] = {side: [] for side in sides}
        for _ in range(options.rounds):
            for side, score in sides.items():
                times[side].append(timed(score, crops, device) / len(crops))
                print(f"{name} {side:6} {times[side][-1] * 1e3:9.1f} ms", file=sys.stderr)
        before, after = (statistics.median(times[side]) for side in ("plain", "fiqa"))
        print(
            f"{name}: plain {before * 1e3:.1f} ms a face, fiqa {after * 1e3:.1f} ms, "
            f"ratio {before / after:.2f}, largest difference {difference:.1e}, "
            f"plain {counter.get_total_flops() / 1e9:.1f} GFLOP a face"
        )


if __name__ == "__main__":
    main()
