"""Parts of pages that several pages share: forms, figures on the page, the link, texts."""
