import torch

from sonoseg.learning.networks.gates import AttentionGate, PassThrough


def test_pass_through_changes_and_learns_nothing() -> None:
    gate = PassThrough(4, 6)
    skip = torch.rand(2, 4, 5, 7)
    assert gate(skip, torch.rand(2, 6, 5, 7)) is skip
    assert not list(gate.parameters())


def test_attention_weighs_pixels_alike_in_all_channels() -> None:
    gate = AttentionGate(4, 6)
    skip, query = torch.rand(2, 4, 5, 7), torch.rand(2, 6, 5, 7)
    weights = gate.attention(skip, query)
    assert weights.shape == (2, 1, 5, 7)
    assert weights.min() >= 0
    assert weights.max() <= 1
    torch.testing.assert_close(gate(skip, query), skip * weights)


def test_attention_listens_to_skip_and_query() -> None:
    torch.manual_seed(0)
    gate = AttentionGate(4, 6).eval()
    skip, query = torch.rand(1, 4, 5, 7), torch.rand(1, 6, 5, 7)
    weights = gate.attention(skip, query)
    assert not torch.equal(weights, gate.attention(skip + 1, query))
    assert not torch.equal(weights, gate.attention(skip, query + 1))


def test_one_channel_is_enough() -> None:
    assert AttentionGate(1, 1)(torch.rand(2, 1, 4, 4), torch.rand(2, 1, 4, 4)).shape == (2, 1, 4, 4)
