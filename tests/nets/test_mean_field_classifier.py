import torch

from lit_anndl.nets.deep_boltzmann import DBM
from lit_anndl.nets.mean_field_classifier import MeanFieldClassifier, MeanFieldInput


def test_it_begins_as_a_step_of_inference_that_prefers_no_class():
    torch.manual_seed(0)
    dbm, v = DBM(6, 4, 3, scale=0.5), torch.rand(5, 6)
    for bias in (dbm.first_bias, dbm.second_bias):
        torch.nn.init.normal_(bias)
    classifier = MeanFieldClassifier(6, 4, 3, classes=10)
    classifier.begin_as(dbm)
    before, after = (dbm.mean_field(v, steps).second for steps in (2, 3))
    torch.testing.assert_close(classifier.hidden(MeanFieldInput(v, before)), after)
    assert not bool(classifier(MeanFieldInput(v, before)).any())


def test_its_weights_are_its_own():
    dbm = DBM(6, 4, 3)
    classifier = MeanFieldClassifier(6, 4, 3, classes=10)
    classifier.begin_as(dbm)
    kept = {name: parameter.clone() for name, parameter in dbm.named_parameters()}
    with torch.no_grad():
        for parameter in classifier.parameters():
            parameter.add_(1)
    assert all(torch.equal(parameter, kept[name]) for name, parameter in dbm.named_parameters())
    torch.testing.assert_close(classifier.feedback.weight, kept["upper"] + 1)
