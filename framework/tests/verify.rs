//! `equiflow verify` says of every statement of the paper what was found when it was first read with care.
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use equiflow::theory::verify::{Finding, Overall, STATEMENTS, Verdict, json, markdown, overview};

fn findings() -> BTreeMap<&'static str, Finding> {
    STATEMENTS.iter().map(|statement| (statement.name, statement.verify().unwrap())).collect()
}

/// The figure `name` of the first check that has one.
fn figure(finding: &Finding, name: &str) -> f64 {
    let figure = finding.checks.iter().find_map(|check| check.value(name));
    figure.unwrap_or_else(|| panic!("{} has no figure {name:?}", finding.statement.name))
}

/// The verdict on the reading that begins so.
fn reading(finding: &Finding, start: &str) -> Verdict {
    let check = finding.checks.iter().find(|check| check.reading.is_some_and(|reading| reading.starts_with(start)));
    check.unwrap_or_else(|| panic!("{} has no reading {start:?}", finding.statement.name)).verdict
}

#[test]
fn every_verdict_is_the_known_one_within_two_minutes() {
    let begun = Instant::now();
    let findings = findings();
    assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", begun.elapsed());
    let overall = |name: &str| match findings[name].overall() {
        Overall::Holds => "holds",
        Overall::HoldsAsRead(_) => "as read",
        Overall::Fails => "fails",
    };
    let known = [
        ("eq-1", "holds"),
        ("def-4.1", "holds"),
        ("thm-4.2", "fails"),
        ("sec-4.2", "as read"),
        ("thm-4.3", "as read"),
        ("eq-2", "as read"),
        ("kl-equilibrium", "as read"),
        ("def-4.4", "holds"),
        ("prop-4.5", "holds"),
        ("prop-4.6", "as read"),
        ("prop-4.7", "as read"),
        ("prop-5.1", "as read"),
        ("alg-1", "as read"),
        ("def-5.2", "as read"),
        ("prop-5.3", "as read"),
        ("lemma-5.4", "holds"),
        ("monotone", "as read"),
        ("thm-5.5", "as read"),
        ("eqs-8-10", "as read"),
    ];
    assert_eq!(known.map(|(name, _)| name).to_vec(), STATEMENTS.iter().map(|s| s.name).collect::<Vec<_>>());
    for (name, verdict) in known {
        assert_eq!(overall(name), verdict, "{name}");
    }

    // Two terminals of opposed returns: the least summed divergence is -2 log of the Bhattacharyya coefficient.
    let opposed = &findings["thm-4.2"];
    assert!((figure(opposed, "least summed KL, by search") - 0.117_783).abs() < 1e-6);
    assert!(
        (figure(opposed, "least summed KL, by search") - figure(opposed, "-2 log BC, in closed form")).abs() < 1e-9
    );
    // The bound of Theorem 4.3 is kept with room where its proof applies.
    let bound = &findings["thm-4.3"];
    assert!(figure(bound, "largest gain / epsilon") < 0.34);
    assert!(bound.is_vacuous_somewhere());
    // The conditional reading ends further from Nash than log 2.
    let theorem = &findings["thm-5.5"];
    assert!((figure(theorem, "gain") - 0.951).abs() < 5e-4);
    assert_eq!(figure(theorem, "vacuous from this many actions on"), 8.0);
    assert_eq!(reading(theorem, "marginal, every game"), Verdict::Holds);
    assert!((figure(theorem, "epsilon") - 2.0f64.ln()).abs() < 1e-12);
    let algorithm = &findings["alg-1"];
    assert_eq!(reading(algorithm, "marginal: pi(a|s)"), Verdict::Holds);
    assert_eq!(reading(algorithm, "marginal, any alpha"), Verdict::Fails);
    assert_eq!(reading(algorithm, "conditional, one-shot potential games of two"), Verdict::Holds);
    assert_eq!(reading(algorithm, "conditional, one-shot potential games of three"), Verdict::Fails);
    // Lemma 5.4's constant is far above every curvature that was found.
    let lemma = &findings["lemma-5.4"];
    assert!(figure(lemma, "least L / curvature") > 50.0 && figure(lemma, "largest L / curvature") > 17_000.0);
    // A prior that follows its model drifts to a pure policy.
    assert_eq!(reading(&findings["prop-4.7"], "the prior replaced"), Verdict::Fails);
    assert_eq!(reading(&findings["prop-4.7"], "uniform prior"), Verdict::Holds);
    // Congestion of 8 players is far from a potential game: a cycle of 3861 is known, and the largest of pure policies is this.
    let sums = findings["def-5.2"].checks.iter().filter_map(|check| check.value("largest sum"));
    assert!((sums.fold(0.0, f64::max) - 8118.0).abs() < 1e-6);
}

#[test]
fn the_same_every_time_and_in_both_forms() {
    let some = || -> Vec<Finding> {
        let chosen = STATEMENTS.iter().filter(|statement| ["thm-4.2", "def-4.4", "prop-4.6"].contains(&statement.name));
        chosen.map(|statement| statement.verify().unwrap()).collect()
    };
    let (one, two) = (some(), some());
    assert_eq!(json(&one), json(&two));
    assert_eq!(markdown(&one), markdown(&two));
    let text = markdown(&one);
    for finding in &one {
        assert!(text.contains(&format!("## {}: {}", finding.statement.name, finding.statement.title)));
        assert!(!finding.checks.is_empty() && finding.checks.iter().all(|check| !check.games.is_empty()));
    }
    assert_eq!(json(&one)[0]["verdict"], "fails");
    let text = overview(&one);
    assert!(
        text.contains("\nprop-4.6        Error of a wrong opponent model\n    fails   as printed; pi(b) = 0.1"),
        "{text}"
    );
    assert!(text.contains("3 statements: 1 hold as printed, 1 in another reading only, 1 in none; 0 say"), "{text}");
}
