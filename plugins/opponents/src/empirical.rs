//! What the opponent did of late, by maximum likelihood.

use equiflow::prelude::*;
use equiflow_neural::{
    AdamParams, Density, Exclusive, Step, check_count, check_hidden, check_penalty, check_positive, check_sampled,
    seed_rows,
};

params! {
    /// What the opponent did of late: a distribution over its actions, given what the agent sees, fitted by maximum
    /// likelihood to the latest transitions.
    pub struct EmpiricalParams {
        /// Width of each hidden layer.
        hidden: Vec<usize> = vec![100, 100],
        /// Adam's step size.
        learning_rate: f64 = 3e-3,
        /// The latest transitions that it is fitted to, per seed.
        window: usize = 512,
        /// Penalty on the squared outputs of the network.
        regulariser: f64 = 5e-4,
    }
}

/// An empirical model.
#[derive(Component, Debug)]
pub struct Empirical {
    params: EmpiricalParams,
    density: Exclusive<Density>,
    player: usize,
    opponent: usize,
    /// One per seed: for acting, and for learning.
    streams: [Vec<Stream>; 2],
    latent: Vec<f64>,
}

impl OpponentModel for Empirical {
    type Params = EmpiricalParams;

    fn check(params: &EmpiricalParams, game: &GameSpec, _agent: usize, opponent: usize) -> Result<(), Invalid> {
        check_sampled(&game.players[opponent].action, "the opponent's actions")?;
        check_hidden(&params.hidden)?;
        check_positive("learning_rate", params.learning_rate)?;
        check_count("window", params.window)?;
        check_penalty("regulariser", params.regulariser)
    }

    fn new(params: &EmpiricalParams, seat: &ModelSeat) -> Self {
        let (seen, adam) = (seat.agent.observation(), AdamParams::new(params.learning_rate));
        let density = Density::new(seat.action(), seen.width(), &params.hidden, adam, &mut seat.streams("weights"))
            .with_constant_input(seen.is_single());
        Self {
            params: params.clone(),
            density: Exclusive::new(density),
            player: seat.agent.player,
            opponent: seat.opponent,
            streams: ["predictions", "learning"].map(|purpose| seat.streams(purpose)),
            latent: Vec::new(),
        }
    }

    fn window(params: &EmpiricalParams) -> usize {
        params.window
    }

    fn predict(&mut self, observation: &[f32], actions: &mut [f32]) {
        self.density.get().sample(observation, &mut self.streams[0], actions);
    }

    fn sample(&mut self, observation: &[f32], actions: &mut [f32], log_ratio: Option<&mut [f32]>) {
        self.density.get().sample(observation, &mut self.streams[1], actions);
        // It is its own prior.
        log_ratio.into_iter().for_each(|ratios| ratios.fill(0.0));
    }

    fn mean(&mut self, observation: &[f32], actions: &mut [f32]) {
        self.density.get().mean(observation, actions);
    }

    fn log_likelihood(&mut self, observation: &[f32], actions: &[f32], out: &mut [f64]) {
        let density = self.density.get();
        density.head.latent_of(actions, &mut self.latent);
        out.copy_from_slice(density.log_density(observation, &self.latent));
    }

    fn learn(&mut self, lesson: &ModelLesson) -> Result<(), Fault> {
        let density = self.density.get();
        let (recent, seeds) = (lesson.recent, self.streams[0].len());
        let window = recent.size - self.params.window.min(recent.size)..recent.size;
        let observation = seed_rows(&recent.players[self.player].observation, seeds, recent.size, window.clone());
        let actions = seed_rows(&recent.players[self.opponent].action, seeds, recent.size, window);
        density.head.latent_of(&actions, &mut self.latent);
        let step = density.fit(&observation, &self.latent, None, self.params.regulariser);
        Step::check([("density", &step)])
    }
}

impl Checkpoint for Empirical {
    fn save(&self, to: &mut Snapshot) {
        to.nest_of("density", &*self.density.lock());
        to.put("streams", &self.streams);
    }

    fn restore(&mut self, from: &Snapshot) -> Result<(), SnapshotError> {
        self.density.get().restore(&from.nested("density"))?;
        self.streams = from.get("streams")?;
        Ok(())
    }
}
