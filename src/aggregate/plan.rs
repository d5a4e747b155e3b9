//! In which order parts can be asked, how many requests that makes, and how long it can take: functions of what waits for
//! what, and of nothing else.

use std::time::Duration;

/// A part, as far as a plan is concerned.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// The parts that it waits for, by position.
    pub after: Vec<usize>,
    /// How many times it is asked at most: more than once where it is repeated.
    pub items: u64,
    /// How many requests each of these may come to.
    pub tries: u64,
    /// How long each of them may take, with all its tries.
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
    steps.iter().map(|step| step.items.saturating_mul(step.tries)).sum()
}

/// How long it takes at most, where `at_once` are asked at the same time and no lane is left empty: that of the longest
/// chain, and of what is left of the rest in all lanes (R. L. Graham, "Bounds on multiprocessing timing anomalies", 1969).
/// It may take longer where some of it takes less time, so that the order in which all time-outs pass is not the worst.
pub fn longest(steps: &[Step], at_once: u64) -> Duration {
    let chain = chain(steps);
    let items: u64 = steps.iter().map(|step| step.items).sum();
    if items <= at_once {
        return chain;
    }
    let all = steps.iter().fold(Duration::ZERO, |all, step| {
        all.saturating_add(step.timeout.saturating_mul(u32::try_from(step.items).unwrap_or(u32::MAX)))
    });
    let lanes = u32::try_from(at_once.max(1)).unwrap_or(u32::MAX);
    chain.saturating_add(all.saturating_sub(chain) / lanes)
}

/// The time of the longest chain of parts that wait for each other.
fn chain(steps: &[Step]) -> Duration {
    let stages = stages(steps).unwrap_or_default();
    let mut order: Vec<usize> = (0..stages.len()).collect();
    order.sort_by_key(|at| stages.get(*at).copied());
    let mut over = vec![Duration::ZERO; steps.len()];
    for at in order {
        let Some(step) = steps.get(at) else { continue };
        let begin = step.after.iter().filter_map(|before| over.get(*before)).max().copied().unwrap_or_default();
        if let Some(slot) = over.get_mut(at) {
            *slot = begin.saturating_add(step.timeout);
        }
    }
    over.into_iter().max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(after: &[usize], items: u64, seconds: u64) -> Step {
        Step { after: after.to_vec(), items, tries: 1, timeout: Duration::from_secs(seconds) }
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
    fn tries_count_as_requests() {
        let tried = Step { tries: 4, ..step(&[], 10, 1) };
        assert_eq!(calls(&[tried, step(&[], 2, 1)]), 42);
    }

    #[test]
    fn the_longest_time_is_that_of_the_longest_chain_and_of_full_lanes() {
        let steps = [step(&[], 1, 2), step(&[], 1, 1), step(&[1], 20, 1)];
        assert_eq!(calls(&steps), 22);
        // A chain of 2 s, and 21 s beside it.
        assert_eq!(longest(&steps, 6), Duration::from_millis(5_500));
        assert_eq!(longest(&steps, 100), Duration::from_secs(2));
        assert_eq!(longest(&steps, 1), Duration::from_secs(23));
        assert_eq!(longest(&[], 6), Duration::ZERO);
    }

    #[test]
    fn what_takes_less_time_than_it_may_does_not_make_it_longer_than_the_longest() {
        // Graham's own example: 12 s where all take as long as they may, 13 s where each takes a second less.
        let times = [3, 2, 2, 2, 4, 4, 4, 4, 9];
        let after = |at: usize| match at {
            4..=7 => vec![3],
            8 => vec![0],
            _ => Vec::new(),
        };
        let steps: Vec<Step> = times.iter().enumerate().map(|(at, time)| step(&after(at), 1, *time)).collect();
        assert!(longest(&steps, 3) >= Duration::from_secs(13));
    }
}
