//! MADDPG in the world: it goes on where it was broken off.

use differential::Sequential;
use equiflow::prelude::*;
use equiflow::testing::resumes_bit_for_bit;
use maddpg::Maddpg;

#[test]
fn a_run_broken_off_goes_on_bit_for_bit() {
    let register = |app: &mut App| {
        app.register_game::<Sequential>("sequential");
        app.register_algorithm::<Maddpg>("maddpg");
    };
    let run = "Run(name: \"resume\", seeds: 2, episodes: 4, steps: 25, game: sequential(reach: 2),
                   entries: [maddpg(hidden: [16], batch: 16, warmup: 30, warmup_play: uniform)])";
    resumes_bit_for_bit(register, run, 20);
    resumes_bit_for_bit(register, run, 60);
}
