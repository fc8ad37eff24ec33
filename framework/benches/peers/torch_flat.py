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
        self.targets = tuple(one.clone() for one in self.flat)
        self.moments = [(torch.zeros_like(one), torch.zeros_like(one)) for one in self.flat]
        self.count = torch.zeros(())


def stacked(network, x):
    """The views of all agents' networks on [agent, batch, in]: [agent, batch, 1]."""
    w1, b1, w2, b2, w3, b3 = network
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
        # Views stay right: the update changes parameters in place.
        self.actors = layers(self.flat[0], 1)
        if Compiled.step is None:
            Compiled.step = torch.compile(compiled_update(self.maddpg, batch), fullgraph=True, dynamic=False)

    def act(self, observation):
        return work.LIMIT * torch.tanh(stacked(self.actors, observation[:, None, None]))[:, 0, 0]

    def update(self, rows):
        Compiled.step(self.flat, self.targets, self.moments, self.count, self.own, rows)


def compiled_update(maddpg, batch):
    critic_inputs = 4 if maddpg else 2

    def act(actors, observation):
        return work.LIMIT * torch.tanh(stacked(layers(actors, 1), observation))

    def values(critics, seen):
        return stacked(layers(critics, critic_inputs), seen)

    def seen_by_critics(observation, actions):
        """Of [agent, batch, 1] each: [agent, batch, in]."""
        if not maddpg:
            return torch.cat([observation, actions], 2)
        return torch.cat([observation, actions])[..., 0].T.expand(work.AGENTS, -1, -1)

    def update(flat, targets, moments, count, own, rows):
        per_agent = lambda first: rows[:, first : first + 2].T[..., None]
        observation, actions, next_observation = per_agent(0), per_agent(2), per_agent(5)
        next_action = act(targets[0], next_observation)
        next_value = values(targets[1], seen_by_critics(next_observation, next_action))
        target = rows[:, 4:5] + work.GAMMA * (1 - rows[:, 7:8]) * next_value
        seen = seen_by_critics(observation, actions)

        def critic_loss(critics):
            return (values(critics, seen) - target).square().sum() / batch

        def actor_loss(actors):
            return -values(flat[1], seen * (1 - own) + act(actors, observation) * own).sum() / batch

        count.add_(1)
        for group, loss in ((1, critic_loss), (0, actor_loss)):
            gradient = torch.func.grad(loss)(flat[group])
            first, second = moments[group]
            first.lerp_(gradient, 0.1)
            second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
            scale = (second / (1 - 0.999**count)).sqrt() + 1e-8
            flat[group].sub_(work.LEARNING_RATE / (1 - 0.9**count) * first / scale)
        for group in (0, 1):
            targets[group].lerp_(flat[group], work.TAU)

    return update


class ByHand(Flat):
    """Every network on its own, its gradients written out on plain products into memory that is kept."""

    def __init__(self, alg, batch):
        super().__init__(alg, batch)
        self.gradients = tuple(torch.zeros_like(one) for one in self.flat)
        cut = lambda pair: [[layers(one, n) for one in group] for group, n in zip(pair, self.inputs)]
        (self.actors, self.critics), (self.target_actors, self.target_critics) = cut(self.flat), cut(self.targets)
        self.actor_gradients, self.critic_gradients = cut(self.gradients)
        room = lambda: [torch.empty(batch, HIDDEN), torch.empty(batch, HIDDEN), torch.empty(batch, 1)]
        self.of_actor, self.of_critic = room(), room()
        self.back = torch.empty(batch, HIDDEN), torch.empty(batch, HIDDEN)
        # Of an actor's loss, the negated mean value, with respect to the values.
        self.value_gradient = torch.full((batch, 1), -1 / batch)

    def act(self, observation):
        room = [torch.empty(1, HIDDEN), torch.empty(1, HIDDEN), torch.empty(1, 1)]
        return torch.cat([self.forward(self.actors[i], observation[i : i + 1, None], room).tanh()[0] for i in AGENTS]) * work.LIMIT

    @staticmethod
    def forward(network, x, room):
        w1, b1, w2, b2, w3, b3 = network
        torch.addmm(b1, x, w1, out=room[0]).relu_()
        torch.addmm(b2, room[0], w2, out=room[1]).relu_()
        return torch.addmm(b3, room[1], w3, out=room[2])

    def backward(self, network, x, room, gradient, of_parameters=None):
        """From the gradient [batch, 1] with respect to the output that with respect to the first layer's pre-activations,
        [batch, HIDDEN]; with `of_parameters`, gradients of a network's shape, fills them."""
        past_relu = torch.ops.aten.threshold_backward.grad_input
        upper, lower = self.back
        torch.mul(gradient, network[4].T, out=upper)
        past_relu(upper, room[1], 0, grad_input=upper)
        torch.mm(upper, network[2].T, out=lower)
        past_relu(lower, room[0], 0, grad_input=lower)
        if of_parameters:
            for k, (inputs, outputs) in enumerate([(x, lower), (room[0], upper), (room[1], gradient)]):
                torch.mm(inputs.T, outputs, out=of_parameters[2 * k])
                torch.sum(outputs, 0, keepdim=True, out=of_parameters[2 * k + 1])
        return lower

    def adam(self, group):
        first, second = self.moments[group]
        torch._fused_adam_(
            [self.flat[group]], [self.gradients[group]], [first], [second], [], [self.count], lr=work.LEARNING_RATE,
            beta1=0.9, beta2=0.999, weight_decay=0.0, eps=1e-8, amsgrad=False, maximize=False,
        )

    @torch.no_grad()
    def update(self, rows):
        observation, reward, next_observation, done = rows[:, 0:2], rows[:, 4:5], rows[:, 5:7], rows[:, 7:8]
        # Columns of what the critic of agent i sees, and which of them is its own action.
        columns = [slice(0, 4)] * 2 if self.maddpg else [slice(0, 4, 2), slice(1, 4, 2)]
        own = [2, 3] if self.maddpg else [1, 1]
        # The next observations and the target actors' actions: what the target critics see.
        next_seen = torch.empty(self.batch, 4)
        next_seen[:, :2] = next_observation
        for i in AGENTS:
            self.forward(self.target_actors[i], next_observation[:, i : i + 1], self.of_actor).tanh_()
            torch.mul(self.of_actor[2], work.LIMIT, out=next_seen[:, 2 + i : 3 + i])
        discount = (1 - done).mul_(work.GAMMA)
        for i in AGENTS:
            next_value = self.forward(self.target_critics[i], next_seen[:, columns[i]], self.of_critic)
            target = torch.addcmul(reward, next_value, discount)
            seen = rows[:, columns[i]]
            gradient = self.forward(self.critics[i], seen, self.of_critic).sub(target).mul_(2 / self.batch)
            self.backward(self.critics[i], seen, self.of_critic, gradient, self.critic_gradients[i])
        self.count += 1
        self.adam(1)
        for i in AGENTS:
            alone = observation[:, i : i + 1]
            squashed = self.forward(self.actors[i], alone, self.of_actor).tanh_()
            seen = rows[:, columns[i]].clone(memory_format=torch.contiguous_format)
            torch.mul(squashed, work.LIMIT, out=seen[:, own[i] : own[i] + 1])
            self.forward(self.critics[i], seen, self.of_critic)
            lower = self.backward(self.critics[i], seen, self.of_critic, self.value_gradient)
            gradient = torch.mv(lower, self.critics[i][0][own[i]])[:, None].mul_(work.LIMIT).mul_(1 - squashed * squashed)
            self.backward(self.actors[i], alone, self.of_actor, gradient, self.actor_gradients[i])
        self.adam(0)
        for group in (0, 1):
            self.targets[group].lerp_(self.flat[group], work.TAU)
