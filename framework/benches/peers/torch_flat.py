"""The learners of torch_training.py whose networks are rows of flat tensors: one compiled as a whole, one written out."""

import torch

import work

HIDDEN, AGENTS = work.HIDDEN, range(work.AGENTS)


def layers(flat, inputs):
    """Views of weights [.., in, out] and biases [.., 1, out] into parameters [.., n]."""
    views, start = [], 0
    for rows, columns in [(inputs, HIDDEN), (1, HIDDEN), (HIDDEN, HIDDEN), (1, HIDDEN), (HIDDEN, 1), (1, 1)]:
        views.append(flat[..., start : start + rows * columns].unflatten(-1, (rows, columns)))
        start += rows * columns
    return views


def drawn(inputs):
    """Parameters [agent, n], uniform in +-1/sqrt(in)."""
    flat = torch.empty(work.AGENTS, work.parameters(inputs))
    for k, view in enumerate(layers(flat, inputs)):
        bound = (inputs if k < 2 else HIDDEN) ** -0.5
        view.copy_(torch.empty(view.shape).uniform_(-bound, bound))
    return flat


class Flat:
    """Actors and critics as rows of two tensors, with targets and Adam's moments of the same shape."""

    def __init__(self, alg, batch):
        self.maddpg, self.batch, self.inputs = alg == "maddpg", batch, (1, work.critic_inputs(alg))
        self.flat = tuple(map(drawn, self.inputs))
        self.target = tuple(one.clone() for one in self.flat)
        self.moments = [(torch.zeros_like(one), torch.zeros_like(one)) for one in self.flat]
        self.count = torch.zeros(())


def stacked(flat, inputs, x):
    """[agent, batch, in] to [agent, batch, 1]."""
    w1, b1, w2, b2, w3, b3 = layers(flat, inputs)
    x = torch.relu(torch.baddbmm(b1, x, w1))
    return torch.baddbmm(b3, torch.relu(torch.baddbmm(b2, x, w2)), w3)


class Compiled(Flat):
    """Autograd through batched products; gradients, Adam and soft updates in one compiled graph."""

    # Compiled once for all seeds.
    step = None

    def __init__(self, alg, batch):
        super().__init__(alg, batch)
        critic = self.inputs[1]
        # Which input of each agent's critic is its own action: [agent, 1, input].
        self.own = torch.eye(critic)[critic - 2 :, None] if self.maddpg else torch.eye(2)[1:, None]
        if Compiled.step is None:
            Compiled.step = torch.compile(compiled_update(self.maddpg, batch), fullgraph=True, dynamic=False)

    def act(self, observation):
        return work.LIMIT * torch.tanh(stacked(self.flat[0], 1, observation[:, None, None]))[:, 0, 0]

    def update(self, rows):
        Compiled.step(self.flat, self.target, self.moments, self.count, self.own, rows)


def compiled_update(maddpg, batch):
    critic_inputs = 4 if maddpg else 2

    def seen_by_critics(observation, actions):
        """Of [agent, batch, 1] each: [agent, batch, in]."""
        if not maddpg:
            return torch.cat([observation, actions], 2)
        return torch.cat([observation, actions])[..., 0].T.expand(work.AGENTS, -1, -1)

    def update(flat, target, moments, count, own, rows):
        per_agent = lambda first: rows[:, first : first + 2].T[..., None]
        observation, actions, following = per_agent(0), per_agent(2), per_agent(5)
        promised = work.LIMIT * torch.tanh(stacked(target[0], 1, following))
        value = stacked(target[1], critic_inputs, seen_by_critics(following, promised))
        wanted = rows[:, 4:5] + work.GAMMA * (1 - rows[:, 7:8]) * value
        seen = seen_by_critics(observation, actions)

        def critic_loss(critics):
            return (stacked(critics, critic_inputs, seen) - wanted).square().sum() / batch

        def actor_loss(actors):
            chosen = work.LIMIT * torch.tanh(stacked(actors, 1, observation))
            return -stacked(flat[1], critic_inputs, seen * (1 - own) + chosen * own).sum() / batch

        count.add_(1)
        for group, loss in ((1, critic_loss), (0, actor_loss)):
            gradient = torch.func.grad(loss)(flat[group])
            first, second = moments[group]
            first.lerp_(gradient, 0.1)
            second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
            scale = (second / (1 - 0.999**count)).sqrt() + 1e-8
            flat[group].sub_(work.LEARNING_RATE / (1 - 0.9**count) * first / scale)
        for group in (0, 1):
            target[group].lerp_(flat[group], work.TAU)

    return update


class ByHand(Flat):
    """Every network on its own, its gradients written out on plain products into memory that is kept."""

    def __init__(self, alg, batch):
        super().__init__(alg, batch)
        self.gradients = tuple(torch.zeros_like(one) for one in self.flat)
        cut = lambda pair: [[layers(one, n) for one in group] for group, n in zip(pair, self.inputs)]
        (self.actors, self.critics), (self.target_actors, self.target_critics) = cut(self.flat), cut(self.target)
        self.actor_gradients, self.critic_gradients = cut(self.gradients)
        room = lambda: [torch.empty(batch, HIDDEN), torch.empty(batch, HIDDEN), torch.empty(batch, 1)]
        self.of_actor, self.of_critic = room(), room()
        self.back = torch.empty(batch, HIDDEN), torch.empty(batch, HIDDEN)
        self.uphill = torch.full((batch, 1), -1 / batch)

    def act(self, observation):
        room = [torch.empty(1, HIDDEN), torch.empty(1, HIDDEN), torch.empty(1, 1)]
        return torch.cat([self.forward(self.actors[i], observation[i : i + 1, None], room).tanh()[0] for i in AGENTS]) * work.LIMIT

    @staticmethod
    def forward(network, x, room):
        w1, b1, w2, b2, w3, b3 = network
        torch.addmm(b1, x, w1, out=room[0]).relu_()
        torch.addmm(b2, room[0], w2, out=room[1]).relu_()
        return torch.addmm(b3, room[1], w3, out=room[2])

    def backward(self, network, x, room, slope, gradient=None):
        """Slopes [batch, HIDDEN] at the first layer's sums; with `gradient`, its views are filled."""
        past_relu = torch.ops.aten.threshold_backward.grad_input
        upper, lower = self.back
        torch.mul(slope, network[4].T, out=upper)
        past_relu(upper, room[1], 0, grad_input=upper)
        torch.mm(upper, network[2].T, out=lower)
        past_relu(lower, room[0], 0, grad_input=lower)
        if gradient:
            for k, (inputs, slopes) in enumerate([(x, lower), (room[0], upper), (room[1], slope)]):
                torch.mm(inputs.T, slopes, out=gradient[2 * k])
                torch.sum(slopes, 0, keepdim=True, out=gradient[2 * k + 1])
        return lower

    def adam(self, group):
        first, second = self.moments[group]
        torch._fused_adam_(
            [self.flat[group]], [self.gradients[group]], [first], [second], [], [self.count], lr=work.LEARNING_RATE,
            beta1=0.9, beta2=0.999, weight_decay=0.0, eps=1e-8, amsgrad=False, maximize=False,
        )

    @torch.no_grad()
    def update(self, rows):
        observation, reward, following, done = rows[:, 0:2], rows[:, 4:5], rows[:, 5:7], rows[:, 7:8]
        # Columns of what the critic of agent i sees, and which of them is its own action.
        columns = [slice(0, 4)] * 2 if self.maddpg else [slice(0, 4, 2), slice(1, 4, 2)]
        own = [2, 3] if self.maddpg else [1, 1]
        promised = torch.empty(self.batch, 4)
        promised[:, :2] = following
        for i in AGENTS:
            self.forward(self.target_actors[i], following[:, i : i + 1], self.of_actor).tanh_()
            torch.mul(self.of_actor[2], work.LIMIT, out=promised[:, 2 + i : 3 + i])
        discount = (1 - done).mul_(work.GAMMA)
        for i in AGENTS:
            value = self.forward(self.target_critics[i], promised[:, columns[i]], self.of_critic)
            wanted = torch.addcmul(reward, value, discount)
            seen = rows[:, columns[i]]
            slope = self.forward(self.critics[i], seen, self.of_critic).sub(wanted).mul_(2 / self.batch)
            self.backward(self.critics[i], seen, self.of_critic, slope, self.critic_gradients[i])
        self.count += 1
        self.adam(1)
        for i in AGENTS:
            alone = observation[:, i : i + 1]
            squashed = self.forward(self.actors[i], alone, self.of_actor).tanh_()
            seen = rows[:, columns[i]].clone(memory_format=torch.contiguous_format)
            torch.mul(squashed, work.LIMIT, out=seen[:, own[i] : own[i] + 1])
            self.forward(self.critics[i], seen, self.of_critic)
            lower = self.backward(self.critics[i], seen, self.of_critic, self.uphill)
            slope = torch.mv(lower, self.critics[i][0][own[i]])[:, None].mul_(work.LIMIT).mul_(1 - squashed * squashed)
            self.backward(self.actors[i], alone, self.of_actor, slope, self.actor_gradients[i])
        self.adam(0)
        for group in (0, 1):
            self.target[group].lerp_(self.flat[group], work.TAU)
