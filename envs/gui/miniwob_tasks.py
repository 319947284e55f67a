"""The names of the MiniWoB++ tasks, by what is done in them."""

GROUPS: dict[str, str] = {
    "buttons": """
        button-delay click-button click-button-sequence click-color click-dialog click-dialog-2 click-link click-pie
        click-pie-nodelay click-shape click-test click-test-2 click-test-transfer click-widget count-shape count-sides
        find-greatest focus-text focus-text-2 generate-number grid-coordinate identify-shape odd-or-even simon-says
        tic-tac-toe unicode-test ascending-numbers buy-ticket
    """,
    "choices": """
        choose-list click-checkboxes click-checkboxes-large click-checkboxes-soft click-checkboxes-transfer click-option
        click-scroll-list click-shades form-sequence-2 form-sequence-3 number-checkboxes
    """,
    "text": """
        copy-paste copy-paste-2 enter-password enter-text enter-text-2 enter-text-dynamic find-word guess-number
        highlight-text highlight-text-2 login-user login-user-popup multi-layouts multi-orderings read-table
        read-table-2 scroll-text scroll-text-2 sign-agreement simple-algebra simple-arithmetic terminal text-editor
        text-transform use-autocomplete use-autocomplete-nodelay visual-addition
    """,
    "menus": """
        click-collapsible click-collapsible-2 click-collapsible-2-nodelay click-collapsible-nodelay click-menu
        click-menu-2 click-tab click-tab-2 click-tab-2-easy click-tab-2-hard click-tab-2-medium navigate-tree
    """,
    "dates": """
        book-flight book-flight-nodelay choose-date choose-date-easy choose-date-medium choose-date-nodelay
        daily-calendar enter-date enter-time
    """,
    "mail": """
        email-inbox email-inbox-delete email-inbox-forward email-inbox-forward-nl email-inbox-forward-nl-turk
        email-inbox-important email-inbox-nl-turk email-inbox-noscroll email-inbox-reply email-inbox-star-reply
    """,
    "lists": """
        order-food phone-book search-engine social-media social-media-all social-media-some
    """,
    "mouse": """
        bisect-angle chase-circle circle-center drag-box drag-circle drag-cube drag-items drag-items-grid drag-shapes
        drag-shapes-2 drag-single-shape drag-sort-numbers draw-circle draw-line find-midpoint hot-cold hover-shape
        moving-items resize-textarea right-angle
    """,
    "values": """
        form-sequence stock-market use-colorwheel use-colorwheel-2 use-slider use-slider-2 use-spinner
    """,
}

TASKS: tuple[str, ...] = tuple(sorted(name for names in GROUPS.values() for name in names.split()))

ANIMATED = frozenset(("chase-circle", "click-pie", "hover-shape", "moving-items", "simon-says", "stock-market"))
"""What these show depends on the clock; the pie unfolds by an animation of its own."""

TURNS = {
    **dict.fromkeys(("book-flight", "book-flight-nodelay", "daily-calendar", "guess-number"), 30),
    **dict.fromkeys(("choose-date", "choose-date-nodelay", "number-checkboxes"), 25),
    **dict.fromkeys(("chase-circle", "click-checkboxes-large", "hot-cold", "hover-shape", "moving-items"), 25),
    **dict.fromkeys(("social-media-all", "social-media-some", "stock-market"), 25),
    **dict.fromkeys(("form-sequence", "order-food", "terminal", "use-slider", "use-slider-2", "use-spinner"), 20),
    **dict.fromkeys(("choose-date-easy", "choose-date-medium", "click-shades", "navigate-tree", "search-engine"), 20),
    **dict.fromkeys(("click-menu", "draw-circle", "email-inbox", "email-inbox-nl-turk", "text-editor"), 20),
    **dict.fromkeys(("login-user-popup", "multi-layouts", "multi-orderings", "read-table-2", "sign-agreement"), 15),
    **dict.fromkeys(("use-autocomplete", "use-autocomplete-nodelay"), 15),
    "click-test-2": 3,
}
"""The most turns of an episode, where they are not 10."""
