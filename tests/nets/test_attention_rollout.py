import torch

from lit_anndl.nets.attention_rollout import attention_rollout


def test_rows_sum_to_one():
    torch.manual_seed(0)
    maps = torch.randn(3, 2, 4, 5, 5, dtype=torch.float64).softmax(dim=-1)
    rollout = attention_rollout(maps)
    torch.testing.assert_close(rollout.sum(dim=-1), torch.ones(2, 5, dtype=torch.float64))
    assert bool((rollout >= 0).all())


def test_tokens_that_attend_to_themselves_stay_what_they_are():
    maps = torch.eye(5).expand(3, 2, 4, 5, 5)
    assert torch.equal(attention_rollout(maps), torch.eye(5).expand(2, 5, 5))


def test_attention_is_followed_from_the_last_block_to_the_first():
    """The last block's first token asks the second, which has asked the third."""
    first, last = torch.eye(3), torch.eye(3)
    last[0] = torch.tensor([0.0, 1.0, 0.0])
    first[1] = torch.tensor([0.0, 0.0, 1.0])
    rollout = attention_rollout(torch.stack([first, last])[:, None, None])
    assert rollout[0, 0].tolist() == [0.5, 0.25, 0.25]


def test_with_one_block_it_is_the_mean_of_heads_and_shortcut():
    torch.manual_seed(0)
    maps = torch.randn(1, 2, 4, 5, 5).softmax(dim=-1)
    torch.testing.assert_close(attention_rollout(maps), (maps[0].mean(dim=1) + torch.eye(5)) / 2)
