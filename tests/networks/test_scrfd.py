import pytest
import torch

from fiqa_cli.networks.scrfd import ANCHORS, STRIDES, Scrfd


@pytest.fixture(scope="module")
def net() -> Scrfd:
    torch.manual_seed(0)
    return Scrfd().eval()


@pytest.mark.parametrize(
    "depth, width, most", [(2, 0, 800_000), (2, 1, 1_150_000), (3, 1, 1_500_000)]
)
def test_stays_small(depth, width, most):
    assert sum(p.numel() for p in Scrfd(depth, width).parameters()) <= most


def answer_alike_then_learn(before: Scrfd, grown: Scrfd) -> None:
    """Both give the same predictions; then `grown` gets the gradients of a loss."""
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        wanted, found = before(image), grown.eval()(image)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    sum(x.square().mean() for x in grown.train()(image)).backward()


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_new_blocks_change_nothing_at_first_and_learn_at_once(depth):
    shallow, deep = Scrfd(depth - 1).eval(), Scrfd(depth)
    deep.grow_from(shallow.state_dict())
    answer_alike_then_learn(shallow, deep)
    new = [
        (name, value)
        for name, value in deep.named_parameters()
        if name not in shallow.state_dict() and name.endswith("second.1.weight")
    ]
    assert new
    for name, value in new:
        assert (value.grad != 0).any(), name


def test_new_channels_are_unheard_at_first_and_learn_at_once():
    """Wider, the network gives the same predictions, and everything new has a slope."""
    net = Scrfd().eval()
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):  # as after some training
                module.running_mean.normal_()
                module.weight.normal_(1, 0.1)
    wide = Scrfd(width=1)
    wide.grow_from(net.state_dict())
    answer_alike_then_learn(net, wide)
    for name, value in net.state_dict().items():
        own = wide.get_parameter(name) if not name.endswith(("mean", "var", "tracked")) else None
        if own is not None and own.dim() > 1 and own.shape[1] > value.shape[1]:
            assert (own.grad[: len(value), value.shape[1] :] != 0).any(), name


@pytest.mark.parametrize("height, width", [(32, 32), (64, 160)])
def test_one_row_per_anchor_at_any_multiple_of_32(net, height, width):
    with torch.no_grad():
        predictions = net(torch.zeros(2, 3, height, width))
    anchors = sum(ANCHORS * (height // s) * (width // s) for s in STRIDES)
    assert predictions.logits.shape == (2, anchors)
    assert predictions.distances.shape == (2, anchors, 4)
    assert predictions.landmarks.shape == (2, anchors, 10)


def test_rows_run_over_x_then_y_with_the_anchors_of_a_place_together(net):
    """A change at one corner moves the rows of that corner, as insightface's decoder expects."""
    image = torch.zeros(1, 3, 256, 512)
    changed = image.clone()
    changed[..., :8, 504:] = 1.0
    with torch.no_grad():
        before, after = (net.levels(net.features(x)) for x in (image, changed))
    moved = [(x[0] - y[0]).abs().sum(-1)[0] for x, y in zip(after, before, strict=True)]
    # At stride 8 the network is local enough for the far left of the picture to stay the same.
    places = moved[0].reshape(256 // 8, 512 // 8, ANCHORS)
    assert (places[0, -1] > 0).all()
    assert (places[:, 0] == 0).all()
    assert places.sum(-1).argmax() % (512 // 8) > 32


def test_an_untrained_network_sees_few_faces_and_no_empty_boxes(net):
    with torch.no_grad():
        predictions = net(torch.randn(1, 3, 128, 128, generator=torch.manual_seed(1)))
    assert predictions.logits.sigmoid().mean() < 0.1
    assert predictions.distances.mean() > 0.5
