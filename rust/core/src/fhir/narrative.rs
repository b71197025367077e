use super::Refusal;
pub fn check(_xhtml: &str) -> Result<(), Refusal> {
    Ok(())
}
