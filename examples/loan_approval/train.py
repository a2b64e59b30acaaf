"""How the model is made. This is all of it: the kit evaluates, packs and judges what comes out."""

import pandas as pd
from fairlearn.reductions import DemographicParity, GridSearch
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from trivet.training.params import TrainParams


def train(frame: pd.DataFrame, params: TrainParams) -> Pipeline:
    """A logistic regression on standardised features: what each of them contributes to a decision can be read off.

    With ``params["mitigation"]`` rows are weighted so that approvals of minority and white applicants come closer: the
    reduction of Agarwal et al. 2018 at one Lagrange multiplier, the strength. Who belongs to which group is read here,
    in training, and never at decision time.
    """
    model = make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(max_iter=2000))
    features, approved = frame[list(params.features)], frame[params.target]
    if "mitigation" not in params:
        return model.fit(features, approved)

    # A price on approving the majority (group 0) more often than everybody together.
    sides = pd.MultiIndex.from_product([["+", "-"], ["all"], [0, 1]], names=["sign", "event", "group_id"])
    price = pd.DataFrame({0: 0.0}, index=sides)
    price.loc[("+", "all", 0)] = params["mitigation"]["strength"]
    minority = (frame["black"] == 1) | (frame["hispan"] == 1)
    search = GridSearch(model, DemographicParity(), grid=price, sample_weight_name="logisticregression__sample_weight")
    search.fit(features, approved, sensitive_features=minority.astype(int))
    return search.predictors_[0]
