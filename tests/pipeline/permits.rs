//! What the compiler refuses.

#[test]
fn i1_without_a_permit_nothing_compiles_that_reaches_the_agent() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
