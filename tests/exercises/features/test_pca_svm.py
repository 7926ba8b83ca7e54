"""The rival of networks that learn from few images."""

import torch

from lit_anndl.data.mnist import MNISTData
from lit_anndl.exercises.features.pca_svm import pca_svm_accuracy


def test_images_of_one_class_teach_that_there_is_no_other() -> None:
    data = MNISTData(seed=0)
    data.train = torch.rand(5, 1, 28, 28), torch.full((5,), 3)
    data.test = torch.rand(4, 1, 28, 28), torch.tensor([3, 1, 3, 3])
    assert pca_svm_accuracy(data, 2) == 0.75
