document.title='Ennead';
