//! Colours, or none.

/// How lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    /// Text alone.
    #[default]
    Plain,
    /// Text with ANSI colours.
    Colour,
}

impl Style {
    /// What standard output is fit for: colours on a terminal, unless `NO_COLOR` or its like forbids them.
    pub fn of_stdout() -> Self {
        if console::colors_enabled() { Self::Colour } else { Self::Plain }
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.paint(console::Style::new().bold(), text)
    }

    pub(super) fn green(self, text: &str) -> String {
        self.paint(console::Style::new().green().bold(), text)
    }

    pub(super) fn yellow(self, text: &str) -> String {
        self.paint(console::Style::new().yellow(), text)
    }

    pub(super) fn red(self, text: &str) -> String {
        self.paint(console::Style::new().red().bold(), text)
    }

    fn paint(self, style: console::Style, text: &str) -> String {
        style.force_styling(self == Self::Colour).apply_to(text).to_string()
    }
}
