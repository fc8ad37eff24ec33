//! Where play goes: a list of next states for each choice.

/// Where a step can lead: next states with their probabilities. What is missing to 1 is the probability that the game
/// ends. A state may appear more than once; its probabilities add up.
pub type Next = Vec<(usize, f64)>;

/// A list of next states for each choice, counted from 0. Choices with equal lists may share one: of the millions of joint
/// actions of many players most lead the same way.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Moves {
    /// The list of each choice; empty when no choice has any.
    list_of: Vec<u32>,
    /// The first entry of each list, and behind it how many there are: [lists + 1].
    first: Vec<usize>,
    /// Next states with their probabilities, list by list.
    entries: Vec<(usize, f64)>,
}

impl Moves {
    /// Room for so many choices.
    pub fn with_capacity(choices: usize) -> Self {
        Self { list_of: Vec::with_capacity(choices), ..Self::default() }
    }

    /// How many different lists there are.
    pub fn lists(&self) -> usize {
        self.first.len().saturating_sub(1)
    }

    /// A list by its number.
    pub fn list(&self, list: u32) -> &[(usize, f64)] {
        let list = list as usize;
        &self.entries[self.first[list]..self.first[list + 1]]
    }

    /// The list of a choice.
    #[inline]
    pub fn of(&self, choice: usize) -> &[(usize, f64)] {
        self.list_of.get(choice).map_or(&[], |list| self.list(*list))
    }

    /// Adds a choice with a list of its own, and gives the list's number; none when there are too many lists to number.
    pub fn push(&mut self, next: impl Iterator<Item = (usize, f64)>) -> Option<u32> {
        let list = u32::try_from(self.lists()).ok()?;
        if self.first.is_empty() {
            self.first.push(0);
        }
        self.entries.extend(next);
        self.first.push(self.entries.len());
        self.list_of.push(list);
        Some(list)
    }

    /// Adds a choice that has the list of another.
    pub fn push_again(&mut self, list: u32) {
        self.list_of.push(list);
    }

    /// Whether nothing follows any choice.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How much memory the lists take, in bytes.
    pub fn list_bytes(&self) -> usize {
        size_of_val(&self.first[..]) + size_of_val(&self.entries[..])
    }
}
