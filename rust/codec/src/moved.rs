//! Which documents of a list have changed their place.

/// The new places of the pairs (old place, new place) outside a longest run that kept its order.
///
/// `paired` were found by their keys, `kept` by their text; the latter are in order.
pub fn outside_longest_run(paired: Vec<(usize, usize)>, kept: Vec<(usize, usize)>) -> Vec<usize> {
    if paired.is_empty() {
        return Vec::new();
    }
    let mut all = [paired, kept].concat();
    all.sort_unstable_by_key(|&(_, new)| new);
    if all.is_sorted() {
        return Vec::new();
    }
    // Patience sorting: `ends[n]` is the last of the run of n + 1 pairs that ends lowest, and
    // each pair links to the one before it in its run.
    let mut ends: Vec<usize> = Vec::new();
    let mut links = Vec::with_capacity(all.len());
    for (index, &(old, _)) in all.iter().enumerate() {
        let length = ends.partition_point(|&end| all[end].0 < old);
        links.push(length.checked_sub(1).map(|last| ends[last]));
        if length == ends.len() {
            ends.push(index);
        } else {
            ends[length] = index;
        }
    }
    let mut outside = vec![true; all.len()];
    let mut next = ends.last().copied();
    while let Some(index) = next {
        outside[index] = false;
        next = links[index];
    }
    let places = all.into_iter().zip(outside);
    places
        .filter_map(|((_, new), outside)| outside.then_some(new))
        .collect()
}
