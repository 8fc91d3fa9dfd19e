import torch
from torch.nn import functional as F

from fiqa_cli.networks.mobilefacenet import MobileFaceNet
from fiqa_cli.training.warm_start import warm_start
from training.teacher import teacher_embedding, teacher_state


def test_a_warm_network_embeds_as_the_teacher_does() -> None:
    state = teacher_state()
    # Without an effect of its own the convolution that we lack leaves nothing to approximate.
    state["dw_conv.pointwise.weight"] = torch.eye(64).reshape(64, 64, 1, 1)
    state["dw_conv.bn2.bias"].zero_()
    torch.manual_seed(0)
    network = MobileFaceNet()
    rgb = torch.rand(6, 3, 112, 112)
    warm_start(network, state, rgb * 2 - 1)
    with torch.inference_mode():
        ours = network.eval()(rgb * 2 - 1)
        theirs = teacher_embedding(state, rgb)
    assert ours.shape == (6, 512)
    # The border differs: a padded 0 is grey to us and the mean colour to the teacher.
    assert F.cosine_similarity(ours[:, :128], theirs).min() > 0.99
    # The other features vary about as much as a normalised layer's.
    length = ours[:, :128].norm(dim=1, keepdim=True) / theirs.norm(dim=1, keepdim=True)
    assert 0.5 < (ours[:, 128:] / length).std() < 2
