//! Every game of the family keeps what the conformance kit asks, plays as it did before, and is a finite game.

use congestion::*;
use equiflow::game::Game;
use equiflow::testing::{conformance, playthrough};
use equiflow::theory::games::{Congestion, Repair, Rewards, Spread, TwoLink, TwoState};

/// Conformance, and a playthrough whose change is a change of the rules.
fn check<G: Game>(name: &str, game: &G) {
    conformance(game);
    assert_eq!(game.finite().map(|finite| finite.players()), Some(game.spec().players.len()));
    insta::assert_snapshot!(name, playthrough(game, 8));
}

#[test]
fn congestion() {
    let small = Congestion { players: 4, ..Congestion::default() };
    check("congestion", &CongestionGame::new(small.clone()).unwrap());
    let team = Congestion { rewards: Rewards::Team, ..small.clone() };
    check("congestion team", &CongestionGame::new(team).unwrap());
    let chance = Congestion { transitions: Spread::Chance { distancing: 0.5 }, start_safe: 0.5, ..small };
    check("congestion chance", &CongestionGame::new(chance).unwrap());
}

#[test]
fn too_many_players_are_refused_with_the_size() {
    let error = CongestionGame::new(Congestion { players: 20, ..Congestion::default() }).unwrap_err();
    assert_eq!(error.field, Some("players"));
    assert!(error.what.contains("2199023255552 joint actions"), "{}", error.what);
}

#[test]
fn two_link() {
    check("two link", &TwoLinkGame::new(TwoLink::default()).unwrap());
    let team = TwoLink { rewards: Rewards::Team, ..TwoLink::default() };
    check("two link team", &TwoLinkGame::new(team).unwrap());
    let chance = TwoLink { transitions: Repair::Chance { safe: 0.5 }, ..TwoLink::default() };
    check("two link chance", &TwoLinkGame::new(chance).unwrap());
}

#[test]
fn two_state() {
    check("two state", &TwoStateGame::new(TwoState::default()).unwrap());
    assert!(TwoStateGame::new(TwoState { scale: f64::NAN, ..TwoState::default() }).is_err());
}
