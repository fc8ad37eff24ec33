//! One-shot games, played again and again: every step is an episode.

mod classics;
mod given;
mod one_shot;
mod random;

pub use classics::{
    BattleOfTheSexes, Climbing, Coordination, MatchingPennies, PrisonersDilemma, RockPaperScissors, StagHunt,
};
pub use given::{Matrix, Payoffs};
pub use one_shot::{OneShot, Rules};
pub use random::{Interests, RandomMatrix};

equiflow::export_plugin! {
    games {
        matrix: OneShot<Matrix>,
        prisoners_dilemma: OneShot<PrisonersDilemma>,
        stag_hunt: OneShot<StagHunt>,
        battle_of_the_sexes: OneShot<BattleOfTheSexes>,
        matching_pennies: OneShot<MatchingPennies>,
        rock_paper_scissors: OneShot<RockPaperScissors>,
        climbing: OneShot<Climbing>,
        coordination: OneShot<Coordination>,
        random_matrix: OneShot<RandomMatrix>,
    }
}
