"""Where questions, formulas and tests are from."""

SOURCES = (
    "Xie, Y. (2024). How do we interpret the outputs of a neural network trained on classification? The "
    "study that asked the question and chose the first three tasks: cite it with the suite.",
    "Richard, M. D. and Lippmann, R. P. (1991). Neural network classifiers estimate Bayesian a "
    "posteriori probabilities. Neural Computation 3(4), 461\u2013483.",
    "White, H. (1982). Maximum likelihood estimation of misspecified models. Econometrica 50(1), "
    "1\u201325. The k / 2N law.",
    "Heskes, T. (1998). Bias/variance decompositions for likelihood-based estimators. Neural "
    "Computation 10(6), 1425\u20131433.",
    "Kull, M. and Flach, P. (2015). Novel decompositions of proper scoring rules for classification: "
    "score adjustment as precursor to calibration. ECML PKDD. Calibration and grouping loss.",
    "Efron, B. (1987). Better bootstrap confidence intervals. Journal of the American Statistical "
    "Association 82(397), 171\u2013185. Intervals from 30 seeds on.",
    "Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of "
    "Statistics 6(2), 65\u201370.",
    "Phipson, B. and Smyth, G. K. (2010). Permutation p-values should never be zero. Statistical "
    "Applications in Genetics and Molecular Biology 9(1), 39. Sign flips.",
    "Piepho, H.-P. (2004). An algorithm for a letter-based representation of all-pairwise comparisons. "
    "Journal of Computational and Graphical Statistics 13(2), 456\u2013466.",
    "Demšar, J. (2006). Statistical comparisons of classifiers over multiple data sets. Journal of "
    "Machine Learning Research 7, 1\u201330.",
    "Al Mohamad, D., Goeman, J. J. and van Zwet, E. W. (2022). Simultaneous confidence intervals for ranks "
    "with application to ranking institutions. Biometrics 78(1), 238\u2013247. Rank intervals.",
)
