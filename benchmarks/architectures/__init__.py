"""The built-in architectures: `networks`, `estimators` and `reference` list them, `recipes` varies them.

`modules` and `losses` hold the torch code; `scikit`, `fitting` and `own_estimators` import scikit-learn; none
is imported before something is built. How a stack is trained lives in `runner.engine`.
"""
