import pytest
import torch

from fiqa_cli.networks.scrfd import ANCHORS, STRIDES, Scrfd


@pytest.fixture(scope="module")
def net() -> Scrfd:
    torch.manual_seed(0)
    return Scrfd().eval()


def test_stays_small(net):
    assert sum(p.numel() for p in net.parameters()) <= 800_000


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
