use super::*;

fn documents(answers: &[&str]) -> Vec<Document> {
    answers.iter().map(|answer| Document::parse(answer.as_bytes().to_vec()).unwrap()).collect()
}

/// Answers of the parts `a`, `b`, `c`.
fn merged(layout: Layout, on_collision: OnCollision, answers: &[&str]) -> Result<String, Collision> {
    let documents = documents(answers);
    let pieces: Vec<Piece<'_>> = documents
        .iter()
        .zip(["a", "b", "c"])
        .map(|(document, name)| Piece { name, grouped: false, answer: document.raw(), shape: None, repeated: false })
        .collect();
    merge(layout, on_collision, &pieces, None)
}

#[test]
fn nested_parts_stay_whole() {
    let answers = [r#"{ "x" : 1.0 , "x" : 2 }"#, "[1]", "null"];
    let whole = r#"{"a":{ "x" : 1.0 , "x" : 2 },"b":[1],"c":null}"#;
    assert_eq!(merged(Layout::Nested, OnCollision::Error, &answers).as_deref(), Ok(whole));
    assert_eq!(merged(Layout::Nested, OnCollision::Last, &[]).as_deref(), Ok("{}"));
}

#[test]
fn merged_parts_are_one_object_and_what_is_none_stands_under_its_name() {
    let answers = [r#"{"x":1,"y":{"z":1}}"#, r#"["p"]"#, r#"{"y":{"w":2},"\u0078":3,"v":4}"#];
    let whole = |on_collision| merged(Layout::Merged, on_collision, &answers);
    assert_eq!(whole(OnCollision::Last).as_deref(), Ok(r#"{"x":3,"y":{"w":2},"b":["p"],"v":4}"#));
    assert_eq!(whole(OnCollision::First).as_deref(), Ok(r#"{"x":1,"y":{"z":1},"b":["p"],"v":4}"#));
    assert_eq!(whole(OnCollision::Error), Err(Collision(0, 2)));
}

#[test]
fn what_stands_twice_in_one_part_is_no_collision() {
    let answers = [r#"{"x":1,"x":2}"#];
    for on_collision in [OnCollision::First, OnCollision::Last, OnCollision::Error] {
        assert_eq!(merged(Layout::Merged, on_collision, &answers).as_deref(), Ok(r#"{"x":2}"#));
    }
}

#[test]
fn parts_of_one_group_collide_as_members_do() {
    let documents = documents(&["1", "2"]);
    let piece =
        |document| Piece { name: "g", grouped: true, answer: Document::raw(document), shape: None, repeated: false };
    let pieces: Vec<Piece<'_>> = documents.iter().map(piece).collect();
    for layout in [Layout::Merged, Layout::Nested] {
        let whole = |on_collision| merge(layout, on_collision, &pieces, None);
        assert_eq!(whole(OnCollision::First).as_deref(), Ok(r#"{"g":1}"#));
        assert_eq!(whole(OnCollision::Last).as_deref(), Ok(r#"{"g":2}"#));
        assert_eq!(whole(OnCollision::Error), Err(Collision(0, 1)));
    }
}

#[test]
fn outcomes_take_the_place_of_any_other() {
    let documents = documents(&[r#"{"o":1,"x":2}"#, r#"{"a":"ok"}"#]);
    let [answer, outcomes] = documents.as_slice() else { panic!() };
    let pieces = [Piece { name: "a", grouped: false, answer: answer.raw(), shape: None, repeated: false }];
    let whole = merge(Layout::Merged, OnCollision::First, &pieces, Some(("o", outcomes.raw())));
    assert_eq!(whole.as_deref(), Ok(r#"{"o":{"a":"ok"},"x":2}"#));
}

#[test]
fn each_item_of_a_repeated_part_gets_its_shape() {
    let documents = documents(&[r#"[{"d":{"x":1}},null,{"d":2}]"#]);
    let shape = Shape { target: vec!["d".to_owned()], ..Shape::default() };
    let pieces: Vec<Piece<'_>> = documents
        .iter()
        .map(|document| Piece {
            name: "a",
            grouped: false,
            answer: document.raw(),
            shape: Some(&shape),
            repeated: true,
        })
        .collect();
    for layout in [Layout::Nested, Layout::Merged] {
        let whole = merge(layout, OnCollision::Error, &pieces, None);
        assert_eq!(whole.as_deref(), Ok(r#"{"a":[{"x":1},null,2]}"#));
    }
}
