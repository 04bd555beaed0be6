"""The memory wall in nine steps: guess, see, understand."""

from wallviz import ui
from wallviz.ui import story

page = ui.Page("story", story.View, steered="step")
page.live(lambda: story.show(page))
