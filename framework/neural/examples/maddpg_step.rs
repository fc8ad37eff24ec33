//! Measures joint MADDPG steps of two agents a second, batch conversion included, gathering from a replay excluded.
//!
//!     taskset -c 0 cargo run --release --package equiflow-neural --example maddpg_step -- 512 1 2000
//!
//! Arguments: batch, seeds, steps. Observations and actions have one dimension, networks two hidden layers of 100.

use equiflow_neural::{ActionBox, AdamParams, Kind, LastLayer, Learner, Mlp, Tensor, td_target, tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

struct Agent {
    actor: Learner,
    critic: Learner,
    actor_target: Mlp,
    critic_target: Mlp,
}

fn main() {
    let arguments: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let [batch, seeds, steps] = arguments[..] else { panic!("arguments: batch, seeds, steps") };
    let mut streams: Vec<_> = (0..seeds as u64).map(ChaCha8Rng::seed_from_u64).collect();
    let mut net = |sizes: &[usize]| Mlp::new(sizes, LastLayer::Same, Kind::Float, &mut streams);
    let mut agents = [(); 2].map(|()| {
        let (actor, critic) = (net(&[1, 100, 100, 1]), net(&[4, 100, 100, 1]));
        let (actor_target, critic_target) = (actor.twin(), critic.twin());
        let params = AdamParams::new(1e-3);
        Agent { actor: Learner::new(actor, params), critic: Learner::new(critic, params), actor_target, critic_target }
    });
    let bounds = ActionBox::new(&[-10.0], &[10.0], Kind::Float);

    // Rows as a replay would gather them: observation, observation, action, action / next observations / reward / end.
    let mut stream = ChaCha8Rng::seed_from_u64(1);
    let mut column =
        |width: usize| -> Vec<f32> { (0..seeds * batch * width).map(|_| stream.random_range(-1.0f32..1.0)).collect() };
    let (joint, next, reward, terminated) = (column(4), column(2), column(1), vec![0.0; seeds * batch]);
    let shape = |width: usize| [seeds as i64, batch as i64, width as i64];

    let mut step = || {
        let input = tensor(&joint, &shape(4), Kind::Float);
        let next = tensor(&next, &shape(2), Kind::Float);
        let reward = tensor(&reward, &shape(1)[..2], Kind::Float);
        let terminated = tensor(&terminated, &shape(1)[..2], Kind::Float);
        let own = |of: &Tensor, i: i64| of.narrow(2, i, 1);
        let next_actions = [0, 1].map(|i| bounds.act(&agents[i].actor_target, &own(&next, i as i64)));
        let next_input = Tensor::cat(&[&next, &next_actions[0], &next_actions[1]], 2);
        for (i, agent) in agents.iter_mut().enumerate() {
            let y = td_target(&reward, &terminated, 0.95, &agent.critic_target.predict(&next_input));
            assert_eq!(agent.critic.regress(&input, &y).failed().count(), 0);
            let i = i as i64;
            let step = agent.actor.ascend(&bounds, &own(&input, i), &agent.critic.net, &input, 2 + i..3 + i);
            assert_eq!(step.failed().count(), 0);
        }
        for agent in &mut agents {
            agent.actor_target.soft_update(&agent.actor.net, 0.01);
            agent.critic_target.soft_update(&agent.critic.net, 0.01);
        }
    };
    // The machine is shared: the best tenth says what the code costs, the median what it got.
    let mut rates = [(); 10].map(|()| {
        let start = Instant::now();
        (0..steps / 10).for_each(|_| step());
        (steps / 10) as f64 / start.elapsed().as_secs_f64()
    });
    rates.sort_by(f64::total_cmp);
    println!("batch {batch}, seeds {seeds}: best {:.0}, median {:.0} joint steps/s", rates[9], rates[5]);
}
