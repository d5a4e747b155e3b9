//! In which order parts can be asked, how many requests that makes, and how long it can take: functions of what waits for
//! what, and of nothing else.

use std::time::Duration;

/// A part, as far as a plan is concerned.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// The parts that it waits for, by position.
    pub after: Vec<usize>,
    /// How many requests it makes at most.
    pub calls: u64,
    /// How long each of them may take.
    pub timeout: Duration,
}

/// The stage of each part: the first one is 1, and a part's is after those of all that it waits for. Where parts wait for
/// each other, the error is the way round, from a part back to itself.
pub fn stages(steps: &[Step]) -> Result<Vec<usize>, Vec<usize>> {
    let mut stages = vec![None; steps.len()];
    let mut way = Vec::new();
    for start in 0..steps.len() {
        visit(start, steps, &mut stages, &mut way)?;
    }
    Ok(stages.into_iter().map(Option::unwrap_or_default).collect())
}

/// Finds the stage of a part by those that it waits for, which are at most as many deep as there are parts.
fn visit(at: usize, steps: &[Step], stages: &mut [Option<usize>], way: &mut Vec<usize>) -> Result<usize, Vec<usize>> {
    if let Some(Some(stage)) = stages.get(at) {
        return Ok(*stage);
    }
    if let Some(start) = way.iter().position(|known| *known == at) {
        let round = way.get(start..).unwrap_or_default();
        return Err(round.iter().copied().chain([at]).collect());
    }
    way.push(at);
    let mut stage = 1;
    for before in steps.get(at).map_or(&[][..], |step| &step.after) {
        stage = stage.max(1 + visit(*before, steps, stages, way)?);
    }
    way.pop();
    if let Some(slot) = stages.get_mut(at) {
        *slot = Some(stage);
    }
    Ok(stage)
}

/// How many requests it makes at most.
pub fn calls(steps: &[Step]) -> u64 {
    steps.iter().map(|step| step.calls).sum()
}

/// How long it takes if every request takes as long as it may, and `at_once` are under way at the same time.
pub fn longest(steps: &[Step], at_once: u64) -> Duration {
    let lanes = usize::try_from(at_once.clamp(1, calls(steps).max(1))).unwrap_or(1);
    // When each lane is free again, and when each part is over.
    let mut free = vec![Duration::ZERO; lanes];
    let mut over: Vec<Option<Duration>> = vec![None; steps.len()];
    // Each round, the part goes next that can begin first; of several, the one that stands first.
    for _ in 0..steps.len() {
        let ready = |step: &Step| {
            step.after.iter().try_fold(Duration::ZERO, |time, before| Some(time.max((*over.get(*before)?)?)))
        };
        let waiting = steps.iter().enumerate().filter(|(at, _)| over.get(*at) == Some(&None));
        let next = waiting.filter_map(|(at, step)| Some((ready(step)?, at))).min();
        let Some((begin, at)) = next else { break };
        let Some(step) = steps.get(at) else { break };
        let mut end = begin;
        for _ in 0..step.calls {
            if let Some(lane) = free.iter_mut().min() {
                *lane = begin.max(*lane).saturating_add(step.timeout);
                end = end.max(*lane);
            }
        }
        if let Some(slot) = over.get_mut(at) {
            *slot = Some(end);
        }
    }
    over.into_iter().flatten().max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(after: &[usize], calls: u64, seconds: u64) -> Step {
        Step { after: after.to_vec(), calls, timeout: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_part_stands_behind_all_that_it_waits_for() {
        let steps = [step(&[1, 2], 1, 1), step(&[], 1, 1), step(&[1], 1, 1), step(&[], 1, 1)];
        assert_eq!(stages(&steps), Ok(vec![3, 1, 2, 1]));
        assert_eq!(stages(&[]), Ok(vec![]));
    }

    #[test]
    fn parts_that_wait_for_each_other_are_named_in_their_order() {
        assert_eq!(stages(&[step(&[0], 1, 1)]), Err(vec![0, 0]));
        let steps = [step(&[1], 1, 1), step(&[2], 1, 1), step(&[3], 1, 1), step(&[1], 1, 1)];
        assert_eq!(stages(&steps), Err(vec![1, 2, 3, 1]));
    }

    #[test]
    fn the_longest_time_is_that_of_the_longest_chain_and_of_full_lanes() {
        let steps = [step(&[], 1, 2), step(&[], 1, 1), step(&[1], 20, 1)];
        assert_eq!(calls(&steps), 22);
        // The long part, beside 1 s and then 20 requests in 5 lanes, and in 6 once it is over.
        assert_eq!(longest(&steps, 6), Duration::from_secs(5));
        assert_eq!(longest(&steps, 100), Duration::from_secs(2));
        assert_eq!(longest(&steps, 1), Duration::from_secs(23));
        assert_eq!(longest(&[], 6), Duration::ZERO);
    }
}
