"""A function of two variables made from one's student number: regression and regularization (exercise 1.4)."""

from collections.abc import Iterator

import torch
from matplotlib.figure import Figure

from lit_anndl.data.regression import RegressionData
from lit_anndl.exercises.supervised.bivariate_regression import BivariateRegression
from lit_anndl.plots.learning import curves
from lit_anndl.plots.surfaces import scattered, scattered_surfaces
from lit_anndl.runtime.records import History


class PersonalRegression(BivariateRegression[RegressionData]):
    """Least squares by a multilayer perceptron, on points of the unit square."""

    def figures(self, data: RegressionData, history: History) -> Iterator[tuple[str, Figure]]:
        """Learning curves; training and test surface with the prediction; differences on the test set."""
        (train, given), (test, true) = ((points.numpy(), z.squeeze(1).numpy()) for points, z in (data.train, data.test))
        predicted = torch.cat(self.test_outputs).squeeze(1).double().numpy()
        yield "curves", curves(history, ["train/mse", "val/mse"], "mean squared error", log=True)
        yield (
            "surfaces",
            scattered_surfaces(
                {"training set": (train, given), "test set": (test, true), "prediction": (test, predicted)}
            ),
        )
        error = predicted - true
        yield "difference", scattered(test, error, "prediction – test set", "difference", diverging=True)
        yield "squared_residuals", scattered(test, error**2, "(prediction – test set)²", "squared residual")
