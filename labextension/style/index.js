// All style sheets in one, minified by the build: loaders of Lab's builder keep comments and blanks.
import css from '../lib/style.raw.css';

const style = document.createElement('style');
style.textContent = css;
document.head.append(style);
