import pytest
import torch

from fiqa_cli.networks.scrfd import ANCHORS, STRIDES, Layout, Scrfd


@pytest.fixture(scope="module")
def net() -> Scrfd:
    torch.manual_seed(0)
    return Scrfd().eval()


def test_stays_small():
    assert sum(p.numel() for p in Scrfd().parameters()) <= 1_100_000


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
    image = torch.zeros(1, 3, 256, 1024)
    changed = image.clone()
    changed[..., :8, 1016:] = 1.0
    with torch.no_grad():
        before, after = (net.levels(net.features(x)) for x in (image, changed))
    moved = [(x[0] - y[0]).abs().sum(-1)[0] for x, y in zip(after, before, strict=True)]
    # At stride 8 the network is local enough for the far left of the picture to stay the same.
    places = moved[0].reshape(256 // 8, 1024 // 8, ANCHORS)
    assert (places[0, -1] > 0).all()
    assert (places[:, 0] == 0).all()
    assert places.sum(-1).argmax() % (1024 // 8) > 64


def test_an_untrained_network_sees_few_faces_and_no_empty_boxes(net):
    with torch.no_grad():
        predictions = net(torch.randn(1, 3, 128, 128, generator=torch.manual_seed(1)))
    assert predictions.logits.sigmoid().mean() < 0.1
    assert predictions.distances.mean() > 0.5


def test_told_what_all_others_put_out_a_part_depends_on_that_alone():
    torch.manual_seed(0)
    net = Scrfd(Layout(((8, 1), (8, 2), (8, 1), (8, 1)), 8, 8)).eval()
    pictures = torch.randn(4, 3, 64, 64)
    with torch.no_grad():
        own = net.parts(pictures)
        # Told its own outputs, it repeats them, fine strides for the first pictures only.
        again = net.parts(pictures, own)
        for wanted, found in zip(own, again, strict=True):
            torch.testing.assert_close(found, wanted[: len(found)])
        # Told something else in one place, only what reads that place changes.
        other = [part + (place == 2) for place, part in enumerate(own)]
        changed = net.parts(pictures, other)
    differ = [not torch.equal(a, b) for a, b in zip(changed, again, strict=True)]
    blocks = 6
    assert differ == [place == 3 for place in range(blocks + 6)]


def test_only_the_part_itself_learns_from_its_output():
    torch.manual_seed(0)
    net = Scrfd(Layout(((8, 1), (8, 1), (8, 1), (8, 1)), 8, 8)).eval()
    pictures = torch.randn(4, 3, 64, 64)
    with torch.no_grad():
        told = net.parts(pictures)
    net.parts(pictures, told)[3].square().mean().backward()
    learnt = {name.split(".")[1] for name, p in net.named_parameters() if p.grad is not None}
    assert learnt == {"3"}
